"""The stages that change code: Implement, Checks, Review and Conflict.

Called by `main`. Set-up and a first run of lint and tests come before the model is asked, so that what was red before is
known; when it ends its turn they run again, and what fails twice goes back to it, `limits.testFix` times at most. What is in the
checkout then is the result, whatever the model says about it.
"""

from __future__ import annotations

from dataclasses import dataclass

from orch.agent import prompts
from orch.agent.checks import Check, Checks, Red, find_red
from orch.agent.loop import Loop
from orch.agent.session import Session
from orch.agent.tools import Toolbox
from orch.api.work import StepOutcome, StepStage

_MOST_NUDGES = 1


@dataclass
class Work:
    """How far the step has come. It is filled in as it goes, so that an exception leaves what is known."""

    before: tuple[Check, ...] = ()
    after: tuple[Check, ...] = ()
    fixes: int = 0
    summary: str = ""
    excused: str = ""
    has_tests: bool = True


def change(session: Session, work: Work) -> StepOutcome:
    """Do the work; DONE, NOTHING_TO_DO or TESTS_RED. Raises what the loop raises, SetupFailed and Replan."""
    session.tools.begin()
    checks = Checks(session.tools, session.step.commands, session.transcript)
    checks.set_up()
    work.before = checks.run()
    work.has_tests = checks.has_tests
    session.tools.remember_untracked()
    notes = [prompts.failing_before(work.before)]
    if session.step.stage is StepStage.CONFLICT:
        conflicts = session.tools.merge(session.step.merge_sha or "")
        if not conflicts and not _red(session, checks, work, {}):
            work.summary = "The base branch merged without conflicts."
            return StepOutcome.DONE
        notes.append(
            prompts.conflicts(conflicts) if conflicts else "The merge left no conflicts, but the checks fail with it."
        )
    toolbox = Toolbox(session.tools, session.step.commands, session.transcript, changing=True)
    loop = session.open(toolbox, notes)
    return _until_green(session, checks, work, toolbox, loop)


def _until_green(session: Session, checks: Checks, work: Work, toolbox: Toolbox, loop: Loop) -> StepOutcome:
    nudges = 0
    while True:
        work.summary = loop.until_quiet().text.strip()
        changed, marked = session.tools.status()
        if not changed:
            if nudges >= _MOST_NUDGES:
                return StepOutcome.NOTHING_TO_DO
            nudges += 1
            loop.say(prompts.NOTHING_CHANGED)
            continue
        red = _red(session, checks, work, toolbox.excused)
        work.excused = "; ".join(f"{pattern}: {reason}" for pattern, reason in toolbox.excused.items())
        if not red and not marked:
            return StepOutcome.DONE
        if work.fixes >= session.step.limits.test_fix:
            return StepOutcome.TESTS_RED
        work.fixes += 1
        loop.say(prompts.still_red(red, marked))


def _red(session: Session, checks: Checks, work: Work, excused: dict[str, str]) -> list[Red]:
    work.after = checks.run()
    red = find_red(work.before, work.after, excused)
    if red:
        work.after = checks.run_again(work.after, red)
    return find_red(work.before, work.after, excused)
