"""Reads a request for a model call and holds it against the step's ticket. Called by `messages`; pure.

The body goes on byte for byte, so what is checked here must be what the API will read: a body that two parsers could
read differently (a name twice, NaN, another encoding than UTF-8) is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orch.api.ticket import Claims
from orch.gateway.errors import Refusal
from orch.gateway.wire import COUNTED, LIFETIMES, CreateMessage

_REACH: Final = frozenset({"extra_forbidden", "union_tag_invalid", "literal_error"})
"""pydantic's errors for a field, a kind of block or a value that is not on the list. The others are plain mistakes."""
_LONGEST: Final = 300


@dataclass(frozen=True)
class Wanted:
    """A call that its ticket allows."""

    body: bytes
    """As it came; this is what is sent on."""
    model: str
    max_tokens: int
    lifetimes: frozenset[str]
    """Lifetimes of the cache entries that it may write: 5m, 1h."""
    counted: bytes
    """The body for `count_tokens`."""

    @property
    def most_tokens(self) -> int:
        """No prompt has more tokens than its JSON has bytes; what the API adds for tools and schemas comes on top."""
        return len(self.body) + ADDED_TOKENS


ADDED_TOKENS: Final = 2_000
"""More than the system prompts that the API adds by itself ("Tool use: pricing" names up to some hundred tokens)."""


def read_wanted(body: bytes, claims: Claims) -> Wanted:
    """Raises Refusal: 400 for what cannot be read, 403 that names the field for what the ticket or the list refuses."""
    document = _parse(body)
    lifetimes: set[str] = set()
    try:
        request = CreateMessage.model_validate(document, context={LIFETIMES: lifetimes})
    except ValidationError as err:
        raise _refused(err.errors(include_url=False, include_input=False, include_context=False)) from None
    except RecursionError:
        raise _unreadable("it is nested too deeply") from None
    if request.model != claims.model:
        raise _denied("model", f"this step's ticket is for {claims.model} alone")
    if request.max_tokens > claims.max_output_tokens:
        raise _denied("max_tokens", f"this step's ticket allows at most {claims.max_output_tokens}")
    if not claims.identity or not request.metadata.user_id.startswith(f"orch/{claims.identity}/"):
        raise _denied("metadata.user_id", "it must begin with `orch/`, the run's identity and `/`")
    counted = {name: value for name, value in document.items() if name in COUNTED and value is not None}
    return Wanted(
        body=body,
        model=request.model,
        max_tokens=request.max_tokens,
        lifetimes=frozenset(lifetimes),
        counted=json.dumps(counted).encode(),
    )


def _parse(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise _unreadable("it is nested too deeply") from None
    except (ValueError, UnicodeDecodeError) as err:
        text = str(err) if isinstance(err, _AmbiguousError) else "it is not JSON in UTF-8"
        raise _unreadable(text) from None
    if not isinstance(document, dict):
        raise _unreadable("it is not a JSON object")
    return document


class _AmbiguousError(ValueError):
    """Two parsers could read this differently."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _AmbiguousError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise _AmbiguousError(f"{name} is not JSON")


def _unreadable(why: str) -> Refusal:
    return Refusal(400, f"the request's body cannot be read: {why}", label="body")


def _denied(field: str, why: str) -> Refusal:
    return Refusal(403, f"{field}: {why}", label="field")


def _refused(errors: Sequence[ErrorDetails]) -> Refusal:
    """The first error that reaches beyond the list, else the first mistake."""
    for error in errors:
        if error["type"] in _REACH:
            return _denied(_place(error), "not on the gateway's list of what a step may send")
    return Refusal(400, f"{_place(errors[0])}: {errors[0]['msg']}"[:_LONGEST], label="body")


def _place(error: ErrorDetails) -> str:
    """`messages.0.content.1`. The names that are the client's own are cut."""
    return ".".join(str(part)[:64] for part in error["loc"])[:_LONGEST] or "body"
