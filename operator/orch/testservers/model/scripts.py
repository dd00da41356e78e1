"""The scripts: what the model answers, in YAML. This module is their format; its field docstrings are the reference.

Loaded by `server` at start and by `PUT /_control/scripts`; read by `director`. It never answers a request itself.

    name: fix-slug                      # default: the file's name
    match:
      contains: 'slugify drops digits'  # regular expression, searched in the text of all user messages
      model: claude-sonnet-4-5          # optional
    capture: {test: 'FAILED (\\S+)'}     # first group of the last match in user text and tool results
    stages:
      - stage: Analyse                  # from metadata.user_id `orch/<identity>/<stage>/<n>`; absent: any stage
        turns:
          - json: {actionable: true}    # structured output
      - stage: Implement
        attempt: 1                      # the n of metadata.user_id; absent: any attempt
        turns:
          - {status: 529, times: 2, tools: [{name: list, input: {path: .}}]}   # two refusals, then the call
          - {text: 'I look.', tools: [{name: run, input: {command: 'pytest {{ capture.test }}'}}]}
          - {text: Done., chunk_delay: 0.01}

A file holds one script, a list of scripts, or several YAML documents.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from orch.testservers.model.errors import STATUSES

Seconds = Annotated[float, Field(ge=0, le=600)]
StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "model_context_window_exceeded"]


class ScriptError(Exception):
    """A script that cannot be used; the text names the file, the place and what is wrong."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as err:
        raise ValueError(f"not a regular expression: {err}") from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class ToolCall(Part):
    """One tool_use block."""

    name: str
    input: dict[str, Any] = {}
    id: str | None = None
    """Default: made up, different in each answer."""


class Generate(Part):
    """Content too big for a script. Not limited by `max_tokens`: it stands for an answer no client expects."""

    text_bytes: Annotated[int, Field(ge=1, le=100_000_000)]


class Turn(Part):
    """One answer. Without any content it is empty, as the true API answers at times (`content: []`)."""

    text: str | None = None
    thinking: str | None = None
    """A thinking block before the rest; it must come back unchanged."""
    tools: list[ToolCall] = []
    """Tool calls, several for parallel use. The names must be in the request unless `raw`."""
    json_: Annotated[Any, Field(alias="json")] = None
    """Structured output, sent as the text block. Must fit the request's schema unless `raw`."""
    generate: Generate | None = None
    raw: bool = False
    """Send what the true API would never produce: unknown tools, prose for JSON, ignored tool_choice."""
    stop_reason: StopReason | None = None
    """Default: `tool_use` with tools, `max_tokens` when cut by it, else `end_turn`."""
    usage: dict[str, int] = {}
    """Figures that replace the computed ones."""
    repeat: bool = False
    """Also for all later turns; only the last turn of a list can."""

    delay: Seconds = 0
    """Before the first byte."""
    chunk_delay: Seconds = 0
    """Before each event of a stream."""

    status: Annotated[int, Field(ge=400, le=599)] | None = None
    """Refuse with this status, `times` times, then give the turn's content."""
    retry_after: Seconds | None = None
    """Header of the refusal, in seconds. Default: 1 with 429, else none."""
    error_event: str | None = None
    """An `error` event of this type in the middle of a stream; without streaming the same as its `status`."""
    cut_after_bytes: Annotated[int, Field(ge=0)] | None = None
    """Drop the connection after so many bytes of the body."""
    times: Annotated[int, Field(ge=1)] | None = None
    """How often status, error_event and cut_after_bytes strike in one conversation. Default: always."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Turn:
        if self.has_json and (self.text is not None or self.generate):
            raise ValueError("json: excludes text and generate")
        if self.error_event is not None and self.error_event not in STATUSES:
            raise ValueError(f"error_event: one of {', '.join(STATUSES)}")
        if self.times is not None and not self.has_fault:
            raise ValueError("times: needs status, error_event or cut_after_bytes")
        return self

    @property
    def has_json(self) -> bool:
        return "json_" in self.model_fields_set

    @property
    def has_fault(self) -> bool:
        return self.status is not None or self.error_event is not None or self.cut_after_bytes is not None

    def without_fault(self) -> Turn:
        """The turn as it is once its fault has struck often enough."""
        calm = {"status": None, "error_event": None, "cut_after_bytes": None, "retry_after": None}
        return self.model_copy(update=calm)


class StageTurns(Part):
    """The turns of one stage of a run; turn 1 answers a conversation without assistant messages."""

    stage: str | None = None
    attempt: int | None = None
    turns: Annotated[list[Turn], Field(min_length=1)]

    @model_validator(mode="after")
    def _only_the_last_repeats(self) -> StageTurns:
        if any(turn.repeat for turn in self.turns[:-1]):
            raise ValueError("repeat: only the last turn can, those after it would never be given")
        return self

    def fits(self, stage: str | None, attempt: int | None) -> bool:
        return self.stage in (None, stage) and self.attempt in (None, attempt)

    def find_turn(self, number: int) -> Turn | None:
        """The turn with this number, from 1."""
        if number <= len(self.turns):
            return self.turns[number - 1]
        return self.turns[-1] if self.turns[-1].repeat else None


class Match(Part):
    """Which conversations a script is for. Both conditions must hold; none given: every conversation."""

    contains: Pattern | None = None
    model: str | None = None


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


class Script(Part):
    """One story; the first that matches a conversation and has its stage answers."""

    name: str
    match: Match = Match()
    capture: dict[str, Pattern] = {}
    stages: Annotated[list[StageTurns], BeforeValidator(_as_list), Field(min_length=1)]

    def find_stage(self, stage: str | None, attempt: int | None) -> StageTurns | None:
        """The turns for this stage; an entry that names the attempt goes before one that does not."""
        fitting = [entry for entry in self.stages if entry.fits(stage, attempt)]
        exact = [entry for entry in fitting if entry.attempt is not None]
        return next(iter(exact or fitting), None)


def read_scripts(text: str, *, name: str) -> list[Script]:
    """Scripts from YAML (or JSON, which is YAML). `name` is for errors and for a script without a name."""
    try:
        documents = [doc for doc in yaml.safe_load_all(text) if doc is not None]
    except yaml.YAMLError as err:
        raise ScriptError(f"{name}: not valid YAML: {' '.join(str(err).split())}") from None
    entries = [entry for doc in documents for entry in (doc if isinstance(doc, list) else [doc])]
    return [_script(entry, name if len(entries) == 1 else f"{name}-{at}") for at, entry in enumerate(entries, 1)]


def _script(entry: object, name: str) -> Script:
    if not isinstance(entry, dict):
        raise ScriptError(f"{name}: a script is a mapping with match and stages")
    try:
        return Script.model_validate({"name": name} | entry)
    except ValidationError as err:
        first = err.errors(include_url=False, include_input=False)[0]
        raise ScriptError(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def load_scripts(path: Path) -> list[Script]:
    """The scripts of a file, or of all *.yaml and *.yml of a directory by name. Raises ScriptError."""
    files = sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
    found: list[Script] = []
    for file in files:
        try:
            found += read_scripts(file.read_text(encoding="utf-8"), name=file.stem)
        except (OSError, UnicodeDecodeError) as err:
            raise ScriptError(f"{file}: cannot be read: {err}") from None
    return found
