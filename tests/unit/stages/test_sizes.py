"""A status fits: whatever the model, the host and the world say, an IssueRun stays far below what etcd takes (32 KiB)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders import BEGAN, a_plan, a_run, an_analysis, digest, sha
from tests.unit.stages.world import World, at

from orch.api.conditions import set_condition
from orch.api.v1alpha1 import (
    AnalysisStatus,
    Artifact,
    ArtifactKind,
    ArtifactRef,
    BranchStatus,
    ChangeStatus,
    ChecksStatus,
    Effect,
    EffectState,
    FailureStatus,
    Finding,
    Guard,
    GuardAction,
    IssueRun,
    PlanStatus,
    Step,
    TheirCommit,
    TheirHead,
)
from orch.api.v1alpha1.reasons import IssueRunCondition
from orch.errors import Terminal
from orch.policy.fitting import LIMIT, fit, shortened, size
from orch.ports import BranchRules, Check, CheckState, QueueEntry, QueuePlace, QueueRemoval
from orch.reconcilers.ending import end
from orch.stages.analyse import analyse
from orch.stages.checks import checks
from orch.stages.merge import merge
from orch.stages.plan import plan

WORDS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=3_000) | st.text(
    alphabet='\U0001f40d\u202e\x00\n"\\', min_size=500
)
HOSTILE = WORDS | st.text(alphabet="\ud800\udfff", min_size=1)
"""A host's JSON may hold half of a surrogate pair; what a step uploads is UTF-8, which cannot."""


@given(reason=WORDS, summary=WORDS, files=st.lists(WORDS, max_size=80))
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
async def test_what_a_model_says_is_cut(reason: str, summary: str, files: list[str]) -> None:
    world = await at(analyse)
    await world.step(analyse, analysis=an_analysis(reason=reason[:1024]))
    await world.step(plan, plan=a_plan(summary=summary[:1024], files=tuple(file[:1024] for file in files)))
    assert size(world.run) < LIMIT
    assert world.run.status.plan is not None
    assert all("\n" not in path for path in world.run.status.plan.files)


@given(words=HOSTILE)
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
async def test_what_a_merge_queue_says_is_cut(words: str) -> None:
    world = await at(merge)
    world.forge.rules = BranchRules(merge_queue=True)
    world.forge.place = QueuePlace(None, QueueRemoval(words, words))
    await world.play(merge)
    world.forge.place = QueuePlace(QueueEntry(words, 1), world.forge.place.removal)
    await world.play(merge)
    world.forge.place = QueuePlace(None, QueueRemoval(f"new {words}", words))
    for _ in range(2):
        await world.play(merge)
    IssueRun.model_validate(world.run.dump())
    assert size(world.run) < LIMIT


@given(names=st.lists(HOSTILE, min_size=1, max_size=40))
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
async def test_what_a_host_says_is_cut(names: list[str]) -> None:
    world = await at(checks)
    world.forge.checked[world.head] = tuple(Check(name=name, state=CheckState.FAILED) for name in names)
    world.forge.log = "x" * 10**5
    await world.play(checks)
    assert world.run.status.checks is not None
    assert world.run.status.checks.failed == len(names)
    assert len(world.run.status.checks.failing) <= 10
    assert size(world.run) < LIMIT


@given(message=HOSTILE)
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
async def test_how_a_run_ended_is_cut(message: str) -> None:
    world = World()
    await world.reach(analyse)
    await end(world.context(), Terminal("TestsRed", message))
    assert size(world.run) < LIMIT


def _full(char: str, items: int) -> IssueRun:
    """A run whose every list and text is as long as the schema lets it be, with the names that orch gives."""
    run = a_run("w" * 46 + "-7-1")
    text = char * 1024
    status = run.status
    status.identity = "0123456789abcdef"
    status.failure = FailureStatus.model_validate({"class": "Terminal", "reason": "R" * 128, "message": text})
    status.plan = PlanStatus(digest=digest("p"), summary=text, files=[char * 256] * min(50, items))
    status.analysis = AnalysisStatus(type="Bug", complexity=1, confidence_percent=1, actionable=True, reason=text)
    finding = Finding(guard=Guard.WORKFLOWS, action=GuardAction.APPROVE, path=char * 256, message=char * 512)
    status.change = ChangeStatus(
        digest=digest("c"),
        risk="High",
        findings=[finding] * min(20, items),
        findings_omitted=3,
        risk_reasons=[char * 256] * min(20, items),
        flaky_tests=[char * 256] * min(10, items),
    )
    status.checks = ChecksStatus(head_sha=sha("h"), state="Failed", failing=[char * 255] * min(10, items))
    commit = TheirCommit(sha=sha("t"), author=char * 64, subject=char * 120)
    theirs = TheirHead(head_sha=sha("t"), commits=[commit] * min(5, items), commits_omitted=3)
    status.branch = BranchStatus(name="b" * 255, base_branch="b" * 255, theirs=theirs)
    status.steps = [
        Step(
            name=f"{run.metadata.name}-implement-{number}",
            state="Succeeded",
            stage="Implement",
            attempt=number,
            runner="Subprocess",
            runner_uid="u" * 64,
            input_digest=digest("i"),
            output_digest=digest("o"),
            start_time=BEGAN,
            completion_time=BEGAN,
            reason="r" * 64,
        )
        for number in range(1, min(20, items) + 1)
    ]
    status.effects = [
        Effect(key=f"push/{sha(str(number))}", state=EffectState.DONE, observed=sha(str(number)), time=BEGAN)
        for number in range(min(30, items))
    ]
    ref = ArtifactRef(kind=ArtifactKind.CONFIG_MAP, name=f"{run.metadata.name}-diff-implement-10", key="change.diff")
    status.artifacts = [Artifact(name=f"diff-implement-{number}", ref=ref) for number in range(min(20, items))]
    for kind in IssueRunCondition:
        set_condition(run, kind, True, "Reason", text, BEGAN)
    return run


@given(char=st.characters(blacklist_categories=("Cs",)), items=st.integers(min_value=0, max_value=60))
def test_a_status_that_is_full_is_cut_until_it_fits(char: str, items: int) -> None:
    run = _full(char, items)
    kept = [effect.key for effect in run.status.effects]
    fit(run)
    assert size(run) < LIMIT
    assert [effect.key for effect in run.status.effects] == kept, "what was done is never forgotten"
    assert run.status.change is not None
    assert len(run.status.change.findings) + run.status.change.findings_omitted == min(20, items) + 3
    assert IssueRun.model_validate(run.dump()) == run
    again = run.deep_copy()
    fit(again)
    assert again == run


def test_a_usual_status_is_left_alone() -> None:
    run = a_run(artifacts=[], identity="0123456789abcdef")
    before = run.deep_copy()
    fit(run)
    assert run == before


@pytest.mark.parametrize(
    ("entries", "most", "expected"),
    [
        (["a", "b"], 2, ["a", "b"]),
        (["a", "b", "c"], 2, ["a", "… and 2 more"]),
        pytest.param(["a", "b", "… and 8 more"], 2, ["a", "… and 9 more"], id="a list that was cut before"),
        ([], 2, []),
    ],
)
def test_a_list_that_is_cut_says_how_much_is_missing(entries: list[str], most: int, expected: list[str]) -> None:
    assert shortened(entries, most) == expected
