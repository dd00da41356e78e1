"""Picks the turn that answers a request: by script, stage, attempt and the number of the turn.

Called by `app`. Its only state is how often a fault has struck. It never builds an answer.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from orch.testservers.model.scripts import Script, ScriptError, Turn
from orch.testservers.model.tokens import canonical
from orch.testservers.model.wire import CreateMessage, Message, TextBlock, ToolResultBlock

_USER_ID: Final = re.compile(r"orch/(?P<identity>[^/]+)/(?P<stage>[^/]+)/(?P<attempt>\d+)")
_PLACE: Final = re.compile(r"\{\{\s*(last_tool_result|capture\.(\w+))\s*\}\}")


@dataclass(frozen=True)
class Scene:
    """Where in a run a request stands. Without a user id of orch's form, only the turn is known."""

    identity: str | None
    stage: str | None
    attempt: int | None
    turn: int


@dataclass(frozen=True)
class Choice:
    """The turn to give, and from which script (None: no script matched)."""

    scene: Scene
    script: str | None
    turn: Turn


class MisfitError(Exception):
    """The script asks for what cannot be: an unknown capture, a JSON answer that does not fit the schema."""


def scene_of(request: CreateMessage) -> Scene:
    """Read stage and attempt from `metadata.user_id`; the turn is the number of finished assistant messages + 1."""
    finished = request.messages[:-1] if request.messages[-1].role == "assistant" else request.messages
    number = sum(message.role == "assistant" for message in finished) + 1
    found = _USER_ID.fullmatch((request.metadata and request.metadata.user_id) or "")
    if found is None:
        return Scene(None, None, None, number)
    return Scene(found["identity"], found["stage"], int(found["attempt"]), number)


class Director:
    """Holds the scripts. A script added later goes before those there, and replaces one of its name."""

    def __init__(self, scripts: list[Script]) -> None:
        self.scripts: list[Script] = []
        self._struck: Counter[str] = Counter()
        self.add(scripts)

    def add(self, scripts: list[Script]) -> None:
        """Raises ScriptError when two of `scripts` have one name."""
        names = Counter(script.name for script in scripts)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ScriptError(f"{twice[0]}: two scripts have this name")
        self.scripts = scripts + [script for script in self.scripts if script.name not in names]

    def choose(self, request: CreateMessage, model_id: str) -> Choice:
        """The answer's turn, with its templates filled in. Raises MisfitError."""
        scene = scene_of(request)
        said = user_text(request.messages)
        for script in self.scripts:
            if script.match.model not in (None, request.model, model_id):
                continue
            if script.match.contains is not None and not re.search(script.match.contains, said):
                continue
            entry = script.find_stage(scene.stage, scene.attempt)
            turn = entry.find_turn(scene.turn) if entry else None
            if turn is not None:
                calmed = self._calmed(turn, script.name, scene, request)
                return Choice(scene, script.name, _filled(calmed, script, request))
        stage = f"stage {scene.stage} attempt {scene.attempt}" if scene.stage else "no stage"
        return Choice(scene, None, Turn(text=f"No script matches: {stage}, turn {scene.turn}.", raw=True))

    def _calmed(self, turn: Turn, script: str, scene: Scene, request: CreateMessage) -> Turn:
        if not turn.has_fault or turn.times is None:
            return turn
        conversation = scene.identity or canonical(request.messages[0].model_dump())
        key = canonical([script, conversation, scene.stage, scene.attempt, scene.turn])
        self._struck[key] += 1
        return turn if self._struck[key] <= turn.times else turn.without_fault()


def user_text(messages: list[Message]) -> str:
    """The text blocks of all user messages. Tool results are left out: they hold files, not what was asked."""
    return "\n".join(
        block.text
        for message in messages
        if message.role == "user"
        for block in message.content
        if isinstance(block, TextBlock)
    )


def _results(messages: list[Message]) -> list[str]:
    return [
        "\n".join(part.text for part in block.content if isinstance(part, TextBlock))
        for message in messages
        for block in message.content
        if isinstance(block, ToolResultBlock)
    ]


def _filled(turn: Turn, script: Script, request: CreateMessage) -> Turn:
    """`turn` with `{{ last_tool_result }}` and `{{ capture.NAME }}` replaced, in text, JSON and tool inputs."""
    results = _results(request.messages)
    heard = "\n".join([user_text(request.messages), *results])

    def value(found: re.Match[str]) -> str:
        if found[1] == "last_tool_result":
            return results[-1] if results else ""
        pattern = script.capture.get(found[2])
        if pattern is None:
            raise MisfitError(f"capture.{found[2]} is not in the script's capture")
        matches = list(re.finditer(pattern, heard))
        if not matches:
            raise MisfitError(f"capture.{found[2]}: nothing in the conversation matches {pattern!r}")
        return str(matches[-1].group(1 if matches[-1].re.groups else 0))

    def fill(node: Any) -> Any:
        if isinstance(node, str):
            return _PLACE.sub(value, node)
        if isinstance(node, dict):
            return {key: fill(item) for key, item in node.items()}
        return [fill(item) for item in node] if isinstance(node, list) else node

    tools = [call.model_copy(update={"input": fill(call.input)}) for call in turn.tools]
    update: dict[str, Any] = {"text": fill(turn.text), "tools": tools}
    if turn.has_json:
        update["json_"] = fill(turn.json_)
    return turn.model_copy(update=update)
