"""Places that turn a protection off, or run text as code: more of them than before. For the guard Security."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading.source import Source, line_of
from orch.policy.files import is_test

_HAZARDS: Final = (
    (
        "certificates are not checked",
        re.compile(
            r"\bverify\s*=\s*False\b|\bcheck_hostname\s*=\s*False\b|\bCERT_NONE\b|_create_unverified_context\b"
            r"|InsecureSkipVerify\s*:\s*true|rejectUnauthorized\s*:\s*false|NODE_TLS_REJECT_UNAUTHORIZED"
            r"|StrictHostKeyChecking[= ]no\b|--no-check-certificate\b|CURLOPT_SSL_VERIFYPEER\s*,\s*(0|false)"
        ),
    ),
    (
        "a shell runs a text",
        re.compile(r"\bshell\s*=\s*True\b|\bos\.(system|popen)\s*\(|\bchild_process\b|\bRuntime\.getRuntime\(\)"),
    ),
    ("text runs as code", re.compile(r"(?<![\w.])(eval|exec)\s*\(|\bnew Function\s*\(|\b__import__\s*\(")),
    (
        "foreign data becomes objects",
        re.compile(
            r"\b(pickle|cPickle|dill|marshal|shelve)\.(loads?|open)\s*\(|\byaml\.(load|unsafe_load)\s*\((?![^)\n]*Safe)"
            r"|\bObjectInputStream\b|\bMarshal\.load\b|(?<!\w)unserialize\s*\("
        ),
    ),
    (
        "HTML goes out unescaped",
        re.compile(r"\bdangerouslySetInnerHTML\b|\bmark_safe\s*\(|\|\s*safe\b|\bautoescape\s*=\s*False\b"),
    ),
    (
        "a scanner is told to look away",
        re.compile(r"(#|//)\s*(nosec|nosemgrep|NOSONAR|noqa:\s*S\d+)\b|pragma:\s*allowlist secret"),
    ),
)


def read(source: Source) -> Iterator[SourceFact]:
    """One fact per hazard that grew. Tests may do such things: they do not run in production."""
    if source.new is None or is_test(source.path):
        return
    for name, pattern in _HAZARDS:
        found = list(pattern.finditer(source.new))
        before = sum(1 for _ in pattern.finditer(source.old or ""))
        if len(found) > before:
            yield source.fact(
                FactKind.HAZARD,
                line=line_of(source.new, _newest(found, source.old or "").start()),
                subject=name,
                before=before,
                after=len(found),
            )


def _newest(found: list[re.Match[str]], old: str) -> re.Match[str]:
    """The first place whose line the old side does not have; else the last."""
    known = set(old.splitlines())
    for match in found:
        start, end = match.string.rfind("\n", 0, match.start()) + 1, match.string.find("\n", match.end())
        if match.string[start : end if end >= 0 else None] not in known:
            return match
    return found[-1]
