"""The prompt cache: which part of a prompt was read from it and which part is written to it.

Called by `app` for every message. Prefixes are kept as hashes, never as text.
Source: "Prompt caching" of the Claude documentation: order tools → system → messages; entries are written at
breakpoints; a breakpoint looks back at most 20 blocks; a prefix shorter than the model's minimum is not cached; an
entry lives 5 minutes or 1 hour from its last use; a change of tool choice or thinking invalidates the messages only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from orch.testservers.model.catalog import Model
from orch.testservers.model.tokens import block_tokens, canonical
from orch.testservers.model.wire import Cacheable, Prompt, ToolResultBlock

LOOK_BACK: Final = 20
LIFETIMES: Final[dict[str, float]] = {"5m": 300.0, "1h": 3600.0}


@dataclass(frozen=True)
class Segment:
    """The prompt up to and including one block: hash, tokens, and the lifetime when a breakpoint is here."""

    digest: str
    tokens: int
    ttl: str | None


@dataclass(frozen=True)
class InputUsage:
    """Tokens of a prompt by how they are charged; the three sum up to what `count_tokens` gives."""

    fresh: int
    written: dict[str, int] = field(default_factory=dict)
    """Tokens written to the cache, by lifetime (`5m`, `1h`)."""
    read: int = 0

    def as_json(self) -> dict[str, Any]:
        """The input's part of `usage`."""
        return {
            "input_tokens": self.fresh,
            "cache_creation_input_tokens": sum(self.written.values()),
            "cache_read_input_tokens": self.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.written.get("5m", 0),
                "ephemeral_1h_input_tokens": self.written.get("1h", 0),
            },
        }


def count_tokens(prompt: Prompt) -> int:
    """All input tokens of the prompt."""
    return segments(prompt, "")[-1].tokens


def segments(prompt: Prompt, model_id: str) -> list[Segment]:
    """The prompt's prefixes, shortest first. The model is part of every hash: caches are per model."""
    digest, total, found = hashlib.sha256(model_id.encode()), 0, list[Segment]()
    blocks = list(_blocks(prompt))
    automatic = max((at for at, (_, source) in enumerate(blocks) if isinstance(source, Cacheable)), default=-1)
    for at, (part, source) in enumerate(blocks):
        digest.update(canonical(part).encode() + b"\0")
        total += block_tokens(part) if source is not None else 0
        own = _breakpoint(source)
        if at == automatic and prompt.cache_control:
            own = own or prompt.cache_control.ttl
        found.append(Segment(digest.hexdigest(), total, own))
    return found


def _blocks(prompt: Prompt) -> Iterator[tuple[dict[str, Any], object]]:
    for block in (*prompt.tools, *prompt.system):
        yield _content(block), block
    yield {"type": "setting", "value": _settings(prompt)}, None
    for message in prompt.messages:
        for item in message.content:
            yield _content(item) | {"role": message.role}, item


def _settings(prompt: Prompt) -> list[Any]:
    """What invalidates the messages' part of the cache when it changes."""
    return [part.model_dump() if part else None for part in (prompt.tool_choice, prompt.thinking)]


def _content(block: Any) -> dict[str, Any]:
    """The block without its breakpoint: moving a breakpoint does not change the prompt."""
    dumped: dict[str, Any] = block.model_dump(exclude={"cache_control"}, exclude_none=True)
    if isinstance(block, ToolResultBlock):
        dumped["content"] = [_content(inner) for inner in block.content]
    return dumped


def _breakpoint(block: object) -> str | None:
    if isinstance(block, ToolResultBlock):  # a mark inside a result counts at the result's end
        inner = [part.cache_control for part in block.content if part.cache_control]
        mark = block.cache_control or (inner[-1] if inner else None)
        return mark.ttl if mark else None
    return block.cache_control.ttl if isinstance(block, Cacheable) and block.cache_control else None


class PromptCache:
    """The entries of one server. `clock` gives seconds and may be moved by tests; keys never share entries."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._expiry: dict[tuple[str, str], tuple[float, float]] = {}

    def use(self, prompt: Prompt, model: Model, owner: str) -> InputUsage:
        """Charge the prompt, read what is there and write what its breakpoints ask for. `owner` names the key."""
        found = segments(prompt, model.id)
        marks = [at for at, one in enumerate(found) if one.ttl and one.tokens >= model.cache_minimum]
        hit = self._longest_hit(found, marks, owner)
        read = found[hit].tokens if hit is not None else 0
        written: dict[str, int] = {}
        reached = read
        for at in marks:
            one = found[at]
            ttl = one.ttl or "5m"
            if one.tokens > reached:
                written[ttl] = written.get(ttl, 0) + one.tokens - reached
                reached = one.tokens
            self._keep(owner, one.digest, LIFETIMES[ttl])
        return InputUsage(fresh=found[-1].tokens - reached, written=written, read=read)

    def _longest_hit(self, found: list[Segment], marks: list[int], owner: str) -> int | None:
        for mark in reversed(marks):
            for at in range(mark, max(mark - LOOK_BACK, -1), -1):
                if self._is_alive(owner, found[at].digest):
                    return at
        return None

    def _is_alive(self, owner: str, digest: str) -> bool:
        until, lifetime = self._expiry.get((owner, digest), (0.0, 0.0))
        if until <= self._clock():
            return False
        self._expiry[owner, digest] = (self._clock() + lifetime, lifetime)  # each use prolongs it
        return True

    def _keep(self, owner: str, digest: str, lifetime: float) -> None:
        self._expiry[owner, digest] = (self._clock() + lifetime, lifetime)
