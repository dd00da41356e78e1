"""The tools that the model may call: their definitions, and the way from a call to its result.

Used by `loop`. Definitions are constants in a fixed order, because they open every prompt and so decide whether it is found
in the cache. The work is done in the other sandbox, through `client`; a wrong call is an error result, never an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from orch.agent.client import ToolFailed, Tools
from orch.agent.errors import StepError
from orch.agent.transcript import Transcript
from orch.api.work import Commands

RUN_SECONDS: Final = 120
MOST_RUN_SECONDS: Final = 1_800
_MOST_RESULT: Final = 40_000

_TYPES: Final[dict[str, tuple[type, str]]] = {
    "string": (str, "a string"),
    "integer": (int, "a whole number"),
    "array": (list, "a list of strings"),
}


class Replan(StepError):
    """The model says that the plan cannot be carried out; the text says why."""


def _tool(name: str, description: str, required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return {"name": name, "description": description, "input_schema": schema}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _number(description: str) -> dict[str, Any]:
    return {"type": "integer", "description": description}


_PATH: Final = _text("Path relative to the root of the checkout")

READING: Final = (
    _tool(
        "list",
        "List files and folders (with a trailing /) beneath a folder.",
        path=_text("Folder relative to the root of the checkout; default: the root"),
        depth=_number("How many levels down, 1 to 10; default 2"),
    ),
    _tool(
        "search",
        "Find lines that match a POSIX extended regular expression, as `path:line:text`.",
        ("pattern",),
        pattern=_text("The regular expression"),
        path=_text("Folder or file to search in; default: everything"),
        glob=_text("Only files whose name matches, e.g. *.py"),
    ),
    _tool(
        "view",
        "Show a text file with line numbers.",
        ("path",),
        path=_PATH,
        start=_number("First line; default 1"),
        end=_number("Last line; default: as many as fit"),
    ),
)
"""Tools of every step."""

CHANGING: Final = (
    _tool(
        "edit",
        "Replace one piece of a file. `old` must occur exactly once, with its white space; give lines around it if needed.",
        ("path", "old", "new"),
        path=_PATH,
        old=_text("The exact text that is there now, without line numbers"),
        new=_text("The text that takes its place"),
    ),
    _tool(
        "write",
        "Create a file, or replace all of it.",
        ("path", "content"),
        path=_PATH,
        content=_text("The whole content"),
    ),
    _tool("delete", "Delete a file.", ("path",), path=_PATH),
    _tool(
        "run",
        "Run a shell command in the working directory, without network. Each call stands alone: what it leaves running is "
        "ended. Shows the beginning and the end of a long output.",
        ("command",),
        command=_text("The command line for sh"),
        seconds=_number(f"Time limit; default {RUN_SECONDS}, at most {MOST_RUN_SECONDS}"),
    ),
    _tool(
        "unrelated",
        "Say that tests which failed before your change have nothing to do with the task, so that they may go on failing. "
        "Has no effect on tests that passed before.",
        ("tests", "reason"),
        tests={"type": "array", "items": {"type": "string"}, "description": "Names as listed; * and ? match"},
        reason=_text("Why they fail, in a sentence"),
    ),
    _tool(
        "replan",
        "Stop, because the plan cannot be carried out as it is. Only when no change in its spirit would do.",
        ("reason",),
        reason=_text("What is wrong with the plan, and what a new one must heed"),
    ),
)
"""Further tools of the steps that change code."""


class Toolbox:
    """Carries out calls. `excused`: patterns of tests that the model declared unrelated, with its reasons."""

    def __init__(self, tools: Tools, commands: Commands, transcript: Transcript, *, changing: bool) -> None:
        self._tools = tools
        self._commands = commands
        self._transcript = transcript
        self.definitions = [*READING, *(CHANGING if changing else ())]
        self._schemas = {tool["name"]: tool["input_schema"] for tool in self.definitions}
        self.excused: dict[str, str] = {}
        self._special: dict[str, Callable[[dict[str, Any]], str]] = {
            "run": self._run,
            "unrelated": self._unrelated,
            "replan": self._replan,
        }

    def carry_out(self, call: dict[str, Any], *, readable: bool) -> dict[str, Any]:
        """The tool_result block for a tool_use block. `readable`: whether the call's input was complete. Raises Replan."""
        name, given = str(call["name"]), call["input"]
        problem = self._problem(name, given) if readable else "the input was cut off: say less in one call"
        is_error, start = problem is not None, time.monotonic()
        if problem is not None:
            text = problem
        else:
            try:
                text = self._do(name, given)
            except ToolFailed as err:
                text, is_error = str(err), True
        took = round(time.monotonic() - start, 3)
        self._transcript.add("tool", name=name, input=given, took=took, result=text, is_error=is_error)
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": text[:_MOST_RESULT] or "(no output)"}
        return result | ({"is_error": True} if is_error else {})

    def _do(self, name: str, given: dict[str, Any]) -> str:
        special = self._special.get(name)
        return special(given) if special else self._tools.call(name, **given)

    def _problem(self, name: str, given: dict[str, Any]) -> str | None:
        schema = self._schemas.get(name)
        if schema is None:
            return f"there is no tool {name[:100]!r}: use one of {', '.join(self._schemas)}"
        missing = [field for field in schema["required"] if field not in given]
        if missing:
            return f"{name} needs {', '.join(missing)}"
        for field, value in given.items():
            wanted = schema["properties"].get(field)
            if wanted is None:
                return f"{name} knows no {field[:100]!r}, only {', '.join(schema['properties'])}"
            kind, words = _TYPES[wanted["type"]]
            if not isinstance(value, kind) or isinstance(value, bool):
                return f"{field} of {name} must be {words}"
        return None

    def _run(self, given: dict[str, Any]) -> str:
        seconds = max(1, min(given.get("seconds", RUN_SECONDS), MOST_RUN_SECONDS))
        ran = self._tools.run(given["command"], self._commands, seconds=seconds)
        return f"{ran.output.rstrip()}\n[exit code {ran.exit_code}]".lstrip()

    def _unrelated(self, given: dict[str, Any]) -> str:
        reason = given["reason"].strip()[:500]
        patterns = [str(test).strip()[:1_000] for test in given["tests"][:200]]
        self.excused |= {pattern: reason for pattern in patterns if pattern}
        return "noted: those that failed before your change may go on failing"

    def _replan(self, given: dict[str, Any]) -> str:
        raise Replan(given["reason"].strip()[:4_000] or "no reason given")
