"""`orch agent`: one work step, from its input to its report. Started by a runner's supervisor, in the sandbox without the code.

Reads the input and the ticket from files, speaks to the tool server over an inherited socket and to the gateway over a Unix
socket, uploads its report and prints one line, `{"report": "sha256:…"}`. Whatever the model or the repository does ends in a
report; exit status 1 with one line on stderr means that no report could be made (no gateway, no tool server).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from orch.agent.answer import analyse_or_plan
from orch.agent.change import Work, change
from orch.agent.checks import SetupFailed
from orch.agent.client import ToolFailed, Tools
from orch.agent.connection import Client
from orch.agent.errors import StepError
from orch.agent.gateway import Store
from orch.agent.loop import BadAnswer, LimitReached
from orch.agent.model import Model
from orch.agent.patience import GaveUp, OutOfMoney, Patience, Refused
from orch.agent.recorder import Recorder
from orch.agent.session import Session
from orch.agent.sse import TooMuchOutput
from orch.agent.tools import Replan
from orch.agent.transcript import Transcript
from orch.agent.wire import BrokenWire, Wire
from orch.api.work import (
    Analysis,
    BadDocument,
    Change,
    Plan,
    StepInput,
    StepOutcome,
    StepReport,
    StepStage,
    decode,
    encode,
)
from orch.failpoints import occasion
from orch.policy.text import cut, plain

_UPLOAD_SECONDS: Final = 90
"""How long the end of a step may wait for the gateway; the runner kills two minutes after the step's own limit."""
_MOST_SUMMARY: Final = 20_000

_OUTCOMES: Final[dict[type[Exception], StepOutcome]] = {
    OutOfMoney: StepOutcome.BUDGET,
    LimitReached: StepOutcome.LIMIT,
    TooMuchOutput: StepOutcome.LIMIT,
    BadAnswer: StepOutcome.BAD_ANSWER,
    Refused: StepOutcome.MODEL_REFUSED,
    GaveUp: StepOutcome.MODEL_UNAVAILABLE,
    SetupFailed: StepOutcome.SETUP_FAILED,
    Replan: StepOutcome.REPLAN,
}
_ENDS: Final = tuple(_OUTCOMES)


class Impossible(StepError):
    """The step cannot even report; the text says why, on one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """The program. 0: a report was uploaded and named; 1: none could be made; 2: wrong arguments."""
    parser = argparse.ArgumentParser(prog="orch agent", description="One work step; started by the operator.")
    parser.add_argument("--input", type=Path, required=True, help="file with the StepInput as JSON")
    parser.add_argument("--ticket", type=Path, required=True, help="file with the ticket for the gateway")
    parser.add_argument("--gateway-socket", type=Path, required=True, help="the gateway's Unix socket")
    parser.add_argument("--tools-fd", type=int, required=True, help="the socket to the tool server")
    options = parser.parse_args(argv)
    try:
        digest = run_step(options)
    except (Impossible, BrokenWire, ToolFailed, GaveUp, Refused, OSError) as err:
        return _fail(str(err))
    except Exception as err:  # a bug of ours ends as one line in the step's record, not as a traceback
        return _fail(f"internal error: {type(err).__name__}: {err}")
    sys.stdout.write(json.dumps({"report": digest}) + "\n")
    return 0


def run_step(options: argparse.Namespace) -> str:
    """Do the step; the digest of its report."""
    step = _read_input(options.input)
    deadline = time.monotonic() + step.limits.seconds
    tools = Tools(Wire(socket.socket(fileno=options.tools_fd)), deadline=deadline)
    client = Client(options.gateway_socket, options.ticket.read_text().strip())
    with occasion(lambda: step.name), Recorder(client) as recorder:
        patience = Patience(deadline)
        with Store(client, patience).fetch(step.bundle) as bundle:
            known = [sha for sha in (step.base_sha, step.merge_sha) if sha]
            tools.check_out(iter(lambda: bundle.read(1_000_000), b""), head=step.head_sha, known=known)
        user_id = f"orch/{step.identity}/{step.stage.value}/{step.number}"
        model = Model(client, step.model, user_id=user_id, output_bytes=step.limits.output_bytes, patience=patience)
        session = Session(step, model, tools, deadline, Transcript(recorder.add))
        ending = Store(
            client, Patience(time.monotonic() + step.limits.seconds + _UPLOAD_SECONDS, total=_UPLOAD_SECONDS)
        )
        report = _do(session, ending)
        return ending.put(_written(report))


def _read_input(path: Path) -> StepInput:
    try:
        return decode(path.read_bytes(), StepInput)
    except BadDocument as err:
        raise Impossible(f"the step's input breaks the contract: {err}") from err


def _written(report: StepReport) -> bytes:
    try:
        return encode(report)
    except BadDocument as err:
        raise Impossible(f"the step's report breaks the contract: {err}") from err


def _do(session: Session, store: Store) -> StepReport:
    """Run the stage; its report, with everything that it names uploaded."""
    work = Work()
    facts: dict[str, Any] = {}
    try:
        facts = _stage(session, work)
    except _ENDS as err:
        outcome = next(outcome for kind, outcome in _OUTCOMES.items() if isinstance(err, kind))
        facts = {"outcome": outcome, "message": str(err)}
    changed = _upload_change(session, work, store) if _keeps_change(session, facts["outcome"]) else None
    if (
        facts["outcome"] is StepOutcome.DONE
        and session.step.stage not in (StepStage.ANALYSE, StepStage.PLAN)
        and not changed
    ):
        facts = {"outcome": StepOutcome.NOTHING_TO_DO, "message": work.summary}
    facts["message"] = _text(facts.get("message", ""))
    session.transcript.add("end", outcome=facts["outcome"].value, message=facts["message"])
    return StepReport(
        name=session.step.name,
        change=changed,
        has_tests=work.has_tests,
        baseline=tuple(check.as_report() for check in work.before),
        tests=tuple(check.as_report() for check in work.after),
        test_fixes=work.fixes,
        turns=session.turns,
        transcript=store.put(session.transcript.as_bytes()),
        **facts,
    )


def _stage(session: Session, work: Work) -> dict[str, Any]:
    if session.step.stage in (StepStage.ANALYSE, StepStage.PLAN):
        answer = analyse_or_plan(session)
        assert isinstance(answer, Analysis | Plan)  # noqa: S101
        return {"outcome": StepOutcome.DONE, "analysis" if isinstance(answer, Analysis) else "plan": answer}
    outcome = change(session, work)
    notes = [] if work.has_tests else ["NoTests: no test command is configured, and none was found"]
    notes += [f"failed before and declared unrelated by the model: {work.excused}"] if work.excused else []
    flaky = [name for check in work.after for name in check.flaky]
    notes += [f"flaky, failed in one of two runs on the same tree: {', '.join(flaky[:10])}"] if flaky else []
    if outcome is not StepOutcome.DONE:
        notes.insert(0, work.summary if outcome is StepOutcome.NOTHING_TO_DO else _still_failing(work))
    return {"outcome": outcome, "message": "; ".join(notes)}


def _still_failing(work: Work) -> str:
    failing = [name for check in work.after for name in check.failing[:5]]
    return f"still failing after {work.fixes} fixes: {', '.join(failing[:10])}"


def _keeps_change(session: Session, outcome: StepOutcome) -> bool:
    """Whether what is in the checkout is worth keeping: also when the step was cut short."""
    kept = (
        StepOutcome.DONE,
        StepOutcome.TESTS_RED,
        StepOutcome.BUDGET,
        StepOutcome.LIMIT,
        StepOutcome.MODEL_UNAVAILABLE,
    )
    return session.step.stage not in (StepStage.ANALYSE, StepStage.PLAN) and outcome in kept


def _upload_change(session: Session, work: Work, store: Store) -> Change | None:
    """Fetch the bundle from the tool server and store it. None: nothing has changed, or conflict markers are left."""
    result = session.tools.result()
    if result is None:
        return None
    sha, chunks = result
    hashed, size = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as file:
        for chunk in chunks:
            hashed.update(chunk)
            size += file.write(chunk)
        digest = store.put_file(file, f"sha256:{hashed.hexdigest()}", size)
    return Change(bundle=digest, sha=sha, summary=_text(work.summary))


def _text(text: str) -> str:
    return cut(plain(text).strip(), _MOST_SUMMARY)


def _fail(message: str) -> int:
    sys.stderr.write(f"orch agent: {' '.join(message.split())[:1_000]}\n")
    return 1
