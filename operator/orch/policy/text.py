"""Hostile text made harmless for a terminal, a condition, a title: no control or direction characters, one line, a cap.

Called by the renderer and by every adapter that repeats a server's words. It knows nothing of Markdown: that is
`orch.policy.render`.
"""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
"""Default-ignorable code points (Unicode, DerivedCoreProperties): direction overrides, zero-width letters, tags that
smuggle text past a reader. The characters that the renderer itself inserts are put in after these are out."""


def plain(text: str) -> str:
    """The text in NFC without control characters (but tab and newline), invisible characters or lone surrogates."""
    unified = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    seen = INVISIBLE.sub("", unified.replace("\u2028", "\n").replace("\u2029", "\n"))
    return "".join(c for c in seen if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))


def one_line(text: str, limit: int = 256) -> str:
    """`plain` on one line of at most `limit` characters, as titles, conditions and `^[^\\p{Cc}]*$` fields take it."""
    return cut(" ".join(plain(text).split()), limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis when something was left out."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def visible(text: str) -> str:
    """The whole text with control and invisible characters as escapes (`\\x1b`, `\\u202e`): nothing is hidden."""
    return "".join(c if c in "\n\t" or not _is_hidden(c) else c.encode("unicode_escape").decode() for c in text)


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or INVISIBLE.match(char) is not None
