"""What goes over a mirror child's pipes: a JSON line in, a JSON document after its length out, and so on.

Called by the child and by `orch.adapters`. Plain standard library (no pydantic), because acts wait for a child's start.
Both ends are our own code of one version; hostile is only what git reads, and that travels inside strings.

    request   {"verb", "data", "key", "url", "token"?, "signing"?, "args": {…}}
    answer    bytes in decimal, newline, {"ok": …} or {"error": {"class", "reason", "message"}}

The request comes on standard input, so no token and no key is in an argument or an environment. The end of the input tells the child
that the parent is gone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from orch import errors


class Request(NamedTuple):
    """One act on one mirror. `url` is the remote without user or password; `token` its password; `signing` the key of a commit."""

    verb: str
    data: Path
    key: str
    url: str
    args: dict[str, Any]
    token: str | None = None
    signing: str | None = None

    def __repr__(self) -> str:
        """Without token and key: it may come into a log."""
        return f"Request({self.verb!r}, {self.data!r}, {self.key!r}, {self.url!r}, {self.args!r})"

    def encode(self) -> bytes:
        """The request as one line."""
        document = {
            "verb": self.verb,
            "data": str(self.data),
            "key": self.key,
            "url": self.url,
            "token": self.token,
            "signing": self.signing,
            "args": self.args,
        }
        return json.dumps(document).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Request:
        """Read `encode`'s line."""
        document = json.loads(line)
        return cls(**(document | {"data": Path(document["data"])}))


def encode_answer(result: Any) -> bytes:
    """The answer to a request that succeeded."""
    return json.dumps({"ok": result}).encode()


def encode_error(error: errors.OrchError, *, secret: str | None) -> bytes:
    """The answer to a request that failed, with the token taken out of the text wherever git may have put it."""
    message = error.message.replace(secret, "«removed»") if secret else error.message
    return json.dumps({"error": {"class": type(error).__name__, "reason": error.reason, "message": message}}).encode()


def decode_answer(data: bytes) -> Any:
    """The result, or the child's error raised again as the class of `orch.errors` that it was."""
    document = json.loads(data)
    if (found := document.get("error")) is None:
        return document["ok"]
    raised: type[errors.OrchError] = getattr(errors, found["class"])
    raise raised(found["reason"], found["message"])
