"""The contract between the operator and a work step: what goes in, what comes out. Pure data.

The operator writes a `StepInput` (an artifact, named by digest), the runner starts `orch agent` on it, the step
answers with a `StepReport` (again an artifact). Both sides treat the other's document as data; the operator treats
every string of a report as hostile. Not pydantic's models, because each step starts anew and would wait for them.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec

Text = Annotated[str, msgspec.Meta(max_length=200_000)]
Line = Annotated[str, msgspec.Meta(max_length=1_024)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
"""Of what a step did. The operator adds them up in status fields of 32 bits, and a negative one would give attempts back."""

_LONGEST = 200
"""Characters of a place, or of a problem, that an error repeats."""

T = TypeVar("T")


class WorkModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Unknown fields are refused: both sides are of one release or the neighbouring one (`version`).

    Nothing is checked when one is made, but all of it by `encode` and `decode`."""


class StepStage(StrEnum):
    """What a step is asked for. The last three change an existing branch."""

    ANALYSE = "Analyse"
    PLAN = "Plan"
    IMPLEMENT = "Implement"
    CHECKS = "Checks"
    REVIEW = "Review"
    CONFLICT = "Conflict"


class IssueText(WorkModel, frozen=True, kw_only=True):
    """The snapshot of the issue at its trigger. Text by people below the trusted permission is not in here."""

    number: int
    title: Line
    body: Text = ""
    author: Line = ""
    comments: tuple[Text, ...] = ()


class Feedback(WorkModel, frozen=True, kw_only=True):
    """Something that the step is to react to: a failing check's log, a review comment, an earlier attempt's end."""

    source: Line
    """Where it comes from, e.g. `check build`, `review by alice`, `attempt 1`."""
    text: Text


class Commands(WorkModel, frozen=True, kw_only=True):
    """How the repository is set up and tested. Shell command lines, run in order in the checkout without network."""

    working_directory: Line = "."
    setup: tuple[str, ...] = ()
    lint: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    """Empty: the step detects them; finding none is reported as `NoTests`."""
    env: dict[str, str] = {}
    test_timeout_seconds: float = 1_800


class Limits(WorkModel, frozen=True, kw_only=True):
    """Where a step stops by itself. Money is limited by the gateway, not here."""

    seconds: float = 3_600
    turns: int = 60
    output_bytes: int = 10_000_000
    """Model output that is read at most, over all turns."""
    test_fix: int = 3
    """How many times a red test or lint run goes back to the model."""


class ModelChoice(WorkModel, frozen=True, kw_only=True):
    """Which model, and how much it may say in one answer (tokens)."""

    name: Line
    max_output_tokens: int = 16_000
    temperature: Decimal | None = None


class StepInput(WorkModel, frozen=True, kw_only=True):
    """All that a step knows. It holds no credential; the ticket reaches the agent on another way."""

    version: str = "1"
    name: Line
    """`<run>-<stage>-<n>`, lower case: the name of the Job or of the process's folder."""
    identity: Line
    """The run's identity (16 hex digits); also the first part of the model's `metadata.user_id`."""
    stage: StepStage
    number: int = 1
    """The n-th step of this stage in the run, from 1."""
    issue: IssueText
    bundle: Line
    """sha256:… of a git bundle that holds `base_sha`, and `head_sha` and `merge_sha` where given."""
    base_sha: Line
    head_sha: Line
    """The commit to check out: the base for a first implementation, our branch's head for a fix."""
    merge_sha: Line | None = None
    """Conflict: the base branch's head that is to be merged into the checkout."""
    acceptance_required: bool = False
    analysis: Text = ""
    plan: Text = ""
    feedback: tuple[Feedback, ...] = ()
    commands: Commands = Commands()
    limits: Limits = Limits()
    model: ModelChoice


class StepOutcome(StrEnum):
    """How a step ended. Only DONE carries a result."""

    DONE = "Done"
    NOTHING_TO_DO = "NothingToDo"
    """The model changed nothing."""
    TESTS_RED = "TestsRed"
    """`test_fix` rounds are used up and tests or lint still fail; the change is kept in `bundle`."""
    REPLAN = "ReplanNeeded"
    """The plan proved wrong; `message` says why."""
    BUDGET = "BudgetExhausted"
    """The gateway refused the next call for money; the change so far is kept in `bundle`."""
    LIMIT = "LimitReached"
    """Turns, time or output are used up."""
    SETUP_FAILED = "SetupFailed"
    """A setup command failed before the model was asked: `message` holds its last lines."""
    BAD_ANSWER = "BadAnswer"
    """The model answered nothing, prose for JSON, or an answer that never fits, again and again."""
    MODEL_REFUSED = "ModelRefused"
    """The gateway or the model service refuses for good: unknown model, price, field, or a revoked ticket."""
    MODEL_UNAVAILABLE = "ModelUnavailable"
    """429, 5xx or cut streams outlasted the step's patience: worth another step."""


class AnalysisType(StrEnum):
    """What kind of work the issue asks for."""

    BUG = "Bug"
    FEATURE = "Feature"
    REFACTOR = "Refactor"
    DOCUMENTATION = "Documentation"
    TEST = "Test"
    CHORE = "Chore"
    UNKNOWN = "Unknown"


class ExpectedRisk(StrEnum):
    """How much harm the model thinks that a change for the issue could do."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"


class Analysis(WorkModel, frozen=True, kw_only=True):
    """The model's structured answer to "can this be done, and how hard is it?"."""

    type: AnalysisType
    complexity: Annotated[int, msgspec.Meta(ge=0, le=10)]
    confidence_percent: Percent
    actionable: bool
    has_acceptance_criteria: bool
    reason: Line
    requirements: tuple[Line, ...] = ()
    files: tuple[Line, ...] = ()
    risks: tuple[Line, ...] = ()
    risk: ExpectedRisk | None = None
    """An opinion: it can raise the risk that code finds, and never lower it."""


class PlanStep(WorkModel, frozen=True, kw_only=True):
    """One step of a plan."""

    title: Line
    detail: Text = ""


class Plan(WorkModel, frozen=True, kw_only=True):
    """The model's structured plan."""

    summary: Line
    steps: tuple[PlanStep, ...]
    files: tuple[Line, ...] = ()
    tests: tuple[Line, ...] = ()
    confidence_percent: Percent


class TestRun(WorkModel, frozen=True, kw_only=True):
    """What one run of the repository's commands said. A claim of the sandbox, not a proof."""

    __test__ = False  # not a test class for pytest

    command: Text
    exit_code: int
    passed: int | None = None
    failed: int | None = None
    failing: tuple[Line, ...] = ()
    """Names of failing tests, at most 50; from JUnit XML where the runner can write it."""
    flaky: tuple[Line, ...] = ()
    """Names, at most 50, that failed in one of two runs on the same tree, in this step. They say nothing about the change."""
    tail: Text = ""
    """Last lines of the output, at most 8 kB."""


class Change(WorkModel, frozen=True, kw_only=True):
    """A commit made in the sandbox, by digest of the bundle that holds it. Only its tree is ever used."""

    bundle: Line
    sha: Line
    summary: Text = ""
    """The model's words about the change; untrusted."""


class StepReport(WorkModel, frozen=True, kw_only=True):
    """What a step gives back."""

    version: str = "1"
    name: Line
    outcome: StepOutcome
    message: Text = ""
    analysis: Analysis | None = None
    plan: Plan | None = None
    change: Change | None = None
    has_tests: bool = True
    """Whether a test command is configured or was found; False is told to people."""
    baseline: tuple[TestRun, ...] = ()
    """Lint and tests before the first change: what was red before is known."""
    tests: tuple[TestRun, ...] = ()
    """Lint and tests on the final tree."""
    test_fixes: Count = 0
    turns: Count = 0
    transcript: Line = ""
    """sha256:… of the transcript (JSON lines), if it could be uploaded."""


class BadDocument(ValueError):
    """A document that breaks the contract. `place`: the field, as in `steps.0.title`, empty for the whole; `problem`: what is
    wrong with it. Both may repeat words of the document."""

    def __init__(self, place: str, problem: str) -> None:
        self.place = place[:_LONGEST]
        self.problem = problem[:_LONGEST]
        super().__init__(f"{self.place}: {self.problem}" if self.place else self.problem)


def decode(data: bytes | str, shape: type[T], *, strict: bool = True) -> T:
    """The document of this shape in some JSON. Not `strict`: "5" and 5.0 are taken for 5, and "true" and 1 for true, as models
    write them. Raises BadDocument for anything else, however hostile."""
    try:
        return msgspec.json.decode(data, type=shape, strict=strict)
    except ValueError as err:  # the parser's own, and Python's for text that is not Unicode
        problem, _, place = str(err).rpartition(" - at ") if " - at `" in str(err) else (str(err), "", "")
        raise BadDocument(_dotted(place), problem) from None


def encode(document: WorkModel) -> bytes:
    """The document as JSON. Raises BadDocument if the other side would refuse it: it is read again before it is given away."""
    try:
        data = msgspec.json.encode(document)
    except UnicodeEncodeError as err:
        raise BadDocument("", f"a text is not Unicode ({err.reason})") from None
    decode(data, type(document))
    return data


def _dotted(path: str) -> str:
    """`$.steps[0].title` in the words that people know from elsewhere."""
    return path.strip("`").removeprefix("$").replace("[...]", "").replace("[", ".").replace("]", "").lstrip(".")
