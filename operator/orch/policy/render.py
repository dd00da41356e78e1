"""The one renderer for everything that leaves orch: comments, pull request texts, titles.

Called by the stages' templates (which are ours and trusted) for each piece of text that is not: the model's, the
issue's, a log's, a server's. Such text carried commands for other bots, closing keywords, `[skip ci]`,
images that call home, and direction characters. What comes out is a Markdown quote in which none of these works.

How: characters that hide are taken out, credentials too, and a zero-width space (U+200B) is put where a form would
begin: GitHub then neither links nor mentions nor runs it, bots that read the raw text find no command, and people see
the text as it was. The same trick is Renovate's (`@&#8203;user`); the character itself also works in code spans.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from orch.policy.secrets import redact
from orch.policy.text import cut, one_line, plain, visible

__all__ = ["Marker", "find_marker", "marker", "neutral", "one_line", "render_title", "render_untrusted", "visible"]

GAP: Final = "\u200b"

_FORMS: Final = (
    # mentions and references; a backslash or emphasis between sign and name would vanish when rendered
    re.compile(rf"(?P<keep>[@#])(?!{GAP})"),
    re.compile(r"(?i)(?P<keep>\bGH)(?=[\\*_]*-)"),
    # HTML, entities (GitHub looks for mentions after decoding them), images, links, reference definitions
    re.compile(rf"(?P<keep><)(?!{GAP})"),
    re.compile(r"(?P<keep>&)(?=[#A-Za-z])"),
    re.compile(r"(?P<keep>!)(?=\[)"),
    re.compile(r"(?P<keep>\])(?=[(:\[])"),
    # bare addresses
    re.compile(r"(?P<keep>:)(?=//)"),
    re.compile(r"(?i)(?P<keep>\bwww)(?=\.)"),
    # commands of bots: at the start of a line, quoted or listed or not
    re.compile(rf"(?m)(?P<keep>^[ \t>*+-]*/)(?!{GAP})"),
    re.compile(r"(?im)(?P<keep>^[ \t>*+-]*bor)(?=s\b)"),
    re.compile(r"(?i)(?P<keep>\bo)(?=k\W+to\W+test)"),
    re.compile(r"(?i)(?P<keep>\b(?:re)?t)(?=est\W+this\W+please)"),
    # markers that make CI skip a commit
    re.compile(r"(?i)(?P<keep>\[)(?=\s*(?:skip|no|ci|actions)\b)"),
    re.compile(r"(?i)(?P<keep>\bskip)(?=-checks)"),
    re.compile(r"(?i)(?P<keep>\bNO)(?=_CI\b)"),
    # a language after a fence: diagrams and maps are drawn by scripts
    re.compile(r"(?m)(?P<keep>^(?:[ \t>*+-]|\d{1,9}[.)])*(?:`{3,}|~{3,}))(?=[^`~\s\u200b])"),
)

_LONGEST: Final = 1_000_000
"""Characters that are looked at: far above any limit, so that a cut cannot halve a credential that is then shown."""

_IDENTITY: Final = re.compile(r"[0-9a-f]{8,64}")
_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MARKER: Final = re.compile(r"<!-- orch:([a-z][a-z0-9-]{0,39}):([0-9a-f]{8,64}) -->(?:\r?\n|$)")


def neutral(text: str) -> str:
    """The text, harmless in any Markdown position but not quoted. Doing it twice changes nothing."""
    for form in _FORMS:
        text = form.sub(rf"\g<keep>{GAP}", text)
    return text


def render_untrusted(text: str, limit: int = 4000) -> str:
    """A Markdown quote of somebody else's text, at most `limit` characters, with an empty line behind it.

    Each line carries its own `>`, so an open fence or list ends with the quote. Empty text gives an empty string."""
    safe = neutral(redact(plain(text[:_LONGEST]).strip("\n")))
    lines = [f"> {line}".rstrip() for line in safe.split("\n")] if safe.strip() else []
    return "\n".join((*_fitting(lines, limit - 2), "", "")) if lines else ""


def _fitting(lines: list[str], limit: int) -> list[str]:
    """As many lines as fit, the last one cut, with an ellipsis if something was left out."""
    kept: list[str] = []
    for line in lines:
        if len(line) + 1 > limit:
            return [*kept, cut(line, limit)] if limit > len("> ") + 1 else kept
        kept.append(line)
        limit -= len(line) + 1
    return kept


def render_title(text: str, limit: int = 200) -> str:
    """Somebody else's words as (a part of) a title or a line of ours: one line, neutral, without credentials."""
    return cut(neutral(redact(one_line(text[:_LONGEST], limit=_LONGEST))), limit)


class Marker(NamedTuple):
    """What a hidden marker says: which run's, and what for (`claim`, `review`)."""

    kind: str
    identity: str


def marker(identity: str, kind: str) -> str:
    """The hidden first line of a comment of ours. Raises ValueError for what is not hex or no plain word."""
    if not _IDENTITY.fullmatch(identity) or not _KIND.fullmatch(kind):
        raise ValueError(f"no marker can be made of {identity!r} and {kind!r}")
    return f"<!-- orch:{kind}:{identity} -->"


def find_marker(body: str) -> Marker | None:
    """The marker on the first line. One further down was quoted by somebody and says nothing."""
    found = _MARKER.match(body)
    return Marker(*found.groups()) if found else None
