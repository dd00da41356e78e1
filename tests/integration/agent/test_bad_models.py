"""Every way in which a model, or the service in front of it, can misbehave ends in a report. No traceback, no hang."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent.conftest import Bench
from tests.integration.agent.test_answer import GOOD
from tests.integration.agent.test_change import FIXED, RIGHT, turns
from tests.integration.agent.world import CALC, Refusal, Repository, a_step, gateway, run_agent

from orch.api.work import Limits, ModelChoice, StepOutcome

END = "text: Done."
LOOK = "{tools: [{name: list, input: {}}], repeat: true}"


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """What a model does wrong is the same whatever tests the repository: this starts ten times as fast as pytest."""
    bench.suite = "python3 -I -S -c 'exec(open(\"calc.py\").read()); assert add(2, 3) == 5'"
    return bench


def test_an_empty_answer_is_asked_again_then_the_end(bench: Bench) -> None:
    report = bench.run(turns("{repeat: true}")).report
    assert report.outcome is StepOutcome.BAD_ANSWER
    assert "nothing" in report.message


@pytest.mark.parametrize("blank", [" ", "\\n\\n"])
def test_a_blank_beside_a_call_is_not_repeated_to_the_model(bench: Bench, blank: str) -> None:
    outcome = bench.run(turns(f'{{text: "{blank}", tools: [{RIGHT}]}}', END))
    assert outcome.report.outcome is StepOutcome.DONE, outcome.report.message
    assert bench.changes(outcome) == {"calc.py": FIXED}


def test_a_thought_that_used_up_the_answer_is_not_repeated_to_the_model(bench: Bench) -> None:
    thinks = "{thinking: Hm., stop_reason: max_tokens}"
    outcome = bench.run(turns(f"{{thinking: Hm., tools: [{RIGHT}]}}", thinks), limits=Limits(seconds=120, turns=4))
    assert outcome.report.outcome is StepOutcome.LIMIT, outcome.report.message
    assert bench.changes(outcome) == {"calc.py": FIXED}
    last = bench.world.calls[-1]["messages"]
    assert [message["role"] for message in last] == ["user", "assistant", "user"]
    assert "cut off at its maximum length" in last[-1]["content"][-1]["text"]


def test_a_refusal(bench: Bench) -> None:
    report = bench.run(turns("{text: No., stop_reason: refusal}")).report
    assert report.outcome is StepOutcome.BAD_ANSWER


def test_never_stops_calling_tools(bench: Bench) -> None:
    outcome = bench.run(turns(f"tools: [{RIGHT}]", LOOK), limits=Limits(seconds=120, turns=8))
    assert outcome.report.outcome is StepOutcome.LIMIT
    assert outcome.report.turns == 8
    assert bench.changes(outcome) == {"calc.py": FIXED}
    last = bench.world.calls[-1]["messages"][-1]["content"]
    assert "1 turns are left" in last[-1]["text"]


CALLS = {
    "an unknown tool": ("{name: launch, input: {}}", "there is no tool 'launch'"),
    "a path outside": ("{name: view, input: {path: ../../../../../../etc/passwd}}", "outside the checkout"),
    "an absolute path": ("{name: write, input: {path: /tmp/x, content: x}}", "outside the checkout"),
    "into .git": ("{name: write, input: {path: .git/hooks/post-commit, content: x}}", ".git is off limits"),
    "a missing field": ("{name: view, input: {}}", "view needs path"),
    "a wrong type": ("{name: view, input: {path: 7}}", "path of view must be a string"),
    "an unknown field": ("{name: view, input: {path: calc.py, mode: fast}}", "view knows no 'mode'"),
    "no such file": ("{name: view, input: {path: nope.py}}", "not there"),
    "a folder": ("{name: view, input: {path: .}}", "a folder"),
    "text twice": ("{name: edit, input: {path: calc.py, old: return, new: x}}", "occurs 2 times"),
    "a bad pattern": ("{name: search, input: {pattern: '('}}", "search failed"),
    "a NUL": ('{name: view, input: {path: "a\\0b"}}', "NUL"),
}


@pytest.mark.parametrize(("call", "told"), [pytest.param(*case, id=name) for name, case in CALLS.items()])
def test_a_wrong_call_is_told_and_the_work_goes_on(bench: Bench, call: str, told: str) -> None:
    outcome = bench.run(turns(f"{{raw: true, tools: [{call}]}}", f"tools: [{RIGHT}]", END))
    assert outcome.report.outcome is StepOutcome.DONE, outcome.report.message
    result = bench.world.calls[1]["messages"][-1]["content"][0]
    assert result["is_error"] is True
    assert told in result["content"]
    assert bench.changes(outcome) == {"calc.py": FIXED}


def test_a_link_out_of_the_checkout_is_not_followed(bench: Bench) -> None:
    link = "{name: run, input: {command: 'ln -s /etc out'}}"
    outcome = bench.run(
        turns(f"tools: [{link}]", "tools: [{name: view, input: {path: out/passwd}}]", f"tools: [{RIGHT}]", END)
    )
    assert "outside the checkout" in bench.world.calls[2]["messages"][-1]["content"][0]["content"]
    assert outcome.report.outcome is StepOutcome.DONE


def test_ten_megabytes_are_not_read_to_the_end(bench: Bench) -> None:
    limits = Limits(seconds=120, output_bytes=1_000_000)
    report = bench.run(turns("generate: {text_bytes: 10000000}"), limits=limits).report
    assert report.outcome is StepOutcome.LIMIT
    assert "1000000 bytes" in report.message


def test_an_answer_cut_at_its_maximum_goes_on(bench: Bench) -> None:
    long = "x" * 5_000
    first = f"{{tools: [{{name: write, input: {{path: a.txt, content: {long}}}}}]}}"
    outcome = bench.run(
        turns(first, f"tools: [{RIGHT}]", END), model=ModelChoice(name="claude-sonnet-5", max_output_tokens=1_000)
    )
    assert outcome.report.outcome is StepOutcome.DONE, outcome.report.message
    assert bench.changes(outcome) == {"calc.py": FIXED}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("cut_after_bytes: 300", id="cut in the middle"),
        pytest.param("error_event: overloaded_error", id="an error event in the stream"),
        pytest.param("status: 529", id="overloaded"),
        pytest.param("{status: 429, retry_after: 0}"[1:-1], id="rate limited"),
        pytest.param("status: 500", id="broken"),
    ],
)
def test_a_fault_that_passes_does_no_harm(bench: Bench, fault: str) -> None:
    outcome = bench.run(turns(f"{{{fault}, times: 1, tools: [{RIGHT}]}}", END))
    assert outcome.report.outcome is StepOutcome.DONE, outcome.report.message
    assert len(bench.world.calls) == 3
    assert bench.changes(outcome) == {"calc.py": FIXED}


def test_a_stream_that_always_breaks_is_tried_four_times(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orch.agent.patience._FIRST_WAIT", 0.01)
    report = bench.run(turns("{cut_after_bytes: 300, text: Nothing comes of this.}")).report
    assert report.outcome is StepOutcome.MODEL_UNAVAILABLE
    assert len(bench.world.calls) == 4


def test_a_wait_longer_than_the_step_is_not_begun(bench: Bench) -> None:
    report = bench.run(turns("{status: 429, retry_after: 600, text: x}")).report
    assert report.outcome is StepOutcome.MODEL_UNAVAILABLE
    assert "patience" in report.message
    assert len(bench.world.calls) == 1


REFUSALS: dict[str, tuple[Refusal, StepOutcome]] = {
    "spent": (Refusal(402, "budget_exhausted"), StepOutcome.BUDGET),
    "an unknown model": (Refusal(403, "permission_error"), StepOutcome.MODEL_REFUSED),
    "a dead ticket": (Refusal(401, "authentication_error"), StepOutcome.MODEL_REFUSED),
    "a bad request": (Refusal(400, "invalid_request_error"), StepOutcome.MODEL_REFUSED),
    "too long a prompt": (Refusal(400, "invalid_request_error", "prompt is too long: 1 > 0"), StepOutcome.LIMIT),
}


@pytest.mark.parametrize(("refusal", "expected"), [pytest.param(*case, id=name) for name, case in REFUSALS.items()])
def test_a_refusal_of_the_gateway(bench: Bench, refusal: Refusal, expected: StepOutcome) -> None:
    report = bench.run(turns(GOOD), "Analyse", before=lambda world: world.refusals.append(refusal)).report
    assert report.outcome is expected
    assert len(bench.world.calls) == 1


def test_money_that_is_only_reserved_is_waited_for(bench: Bench) -> None:
    wait = Refusal(402, "budget_reserved", headers={"retry-after": "0"})
    outcome = bench.run(turns(GOOD), "Analyse", before=lambda world: world.refusals.extend([wait, wait]))
    assert outcome.report.outcome is StepOutcome.DONE


def test_time_that_is_up_keeps_the_work(bench: Bench) -> None:
    slow = "{name: run, input: {command: 'sleep 600'}}"
    outcome = bench.run(turns(f"tools: [{RIGHT}, {slow}]", END), limits=Limits(seconds=25))
    assert outcome.report.outcome is StepOutcome.LIMIT
    assert bench.changes(outcome) == {"calc.py": FIXED}


def _without_bundle(world: Any) -> None:
    world.artifacts.clear()


IMPOSSIBLE: dict[str, tuple[Callable[[Any], None] | None, str, str]] = {
    "a forged ticket": (None, "forged", "artifact sha256:"),
    "no bundle": (_without_bundle, "ticket-canary-0123456789abcdef", "no such artifact"),
}


@pytest.mark.parametrize(
    ("before", "ticket", "said"), [pytest.param(*case, id=name) for name, case in IMPOSSIBLE.items()]
)
def test_without_its_input_a_step_fails_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: Callable[[Any], None] | None, ticket: str, said: str
) -> None:
    repository = Repository(tmp_path / "repo", CALC)
    with gateway(tmp_path) as world:
        step = a_step(world, repository)
        if before:
            before(world)
        status, out, err = run_agent(world, step, tmp_path, capsys, ticket)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert said in err
    assert ticket not in err
