"""Tests of other languages than Python: how many there are, how many are skipped, how much they check, by patterns.

Called by `tests`. Names are not compared, so moving tests between files shows as fewer here and a new file there; the guard
asks a person, who sees that. To add a language is to add a line to `LANGUAGES`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading.source import Source


@dataclass(frozen=True)
class Patterns:
    """What a test, a skip and a check look like."""

    test: re.Pattern[str]
    skip: re.Pattern[str]
    check: re.Pattern[str]


def _patterns(test: str, skip: str, check: str) -> Patterns:
    return Patterns(*(re.compile(pattern, re.MULTILINE) for pattern in (test, skip, check)))


_COMMENT: Final = re.compile(r"(?<!:)//[^\n]*|/\*.*?\*/", re.DOTALL)
_HASH_COMMENT: Final = re.compile(r"(?m)^\s*#[^\n\[]*$")

_JAVASCRIPT: Final = _patterns(
    r"(?<![\w.$])x?(?:it|test)(?:\.\w+)*(?:\([^()\n]*\))?\s*\(\s*['\"`]",
    r"(?<![\w.$])(?:it|test|describe|context|suite)\.(?:skip|todo|fixme|failing|only)\b|(?<![\w.$])x(?:it|test|describe)\s*\(",
    r"\bexpect\s*\(|\bassert(?:\.\w+)?\s*\(|\.should\b",
)
_GO: Final = _patterns(
    r"^func (?:Test|Fuzz|Example)\w*\(|\bt\.Run\(",
    r"\bt\.Skip(?:f|Now)?\(|testing\.Short\(\)",
    r"\bt\.(?:Errorf?|Fatalf?|Fail|FailNow)\(|\b(?:assert|require)\.\w+\(",
)
_JVM: Final = _patterns(
    r"@(?:Test|ParameterizedTest|RepeatedTest|Property)\b|\[(?:Fact|Theory|Test|TestMethod|TestCase)\b",
    r"@(?:Disabled|Ignore)\b|\[Ignore\b|\bSkip\s*=|\bassume(?:True|False|That)?\s*\(",
    r"\b[Aa]ssert\w*\s*[.(]|\bverify\s*\(|\.[sS]hould\w*\b|\bexpectThrows\b",
)
_RUBY: Final = _patterns(
    r"^\s*x?(?:it|specify|scenario|test)\s+['\"]|^\s*def test_",
    r"^\s*x(?:it|describe|context)\b|\bskip\b|\bpending\b",
    r"\bexpect\s*[({]|\bassert\w*|\brefute\w*|\.should\b",
)
_RUST: Final = _patterns(r"#\[(?:\w+::)*test\b", r"#\[ignore\b", r"\b(?:debug_)?assert(?:_eq|_ne|_matches)?!|\bpanic!")
_PHP: Final = _patterns(
    r"function test\w*\s*\(|@test\b|#\[Test\]|(?<![\w$>])(?:it|test)\s*\(\s*['\"]",
    r"markTest(?:Skipped|Incomplete)|->skip\(",
    r"(?:\$this->|self::|static::)assert\w+|\bexpect\w*\s*\(",
)
_CPP: Final = _patterns(
    r"\b(?:TYPED_)?TEST(?:_[FP]|_CASE)?\s*\(|\bSCENARIO\s*\(",
    r"\bDISABLED_|\bGTEST_SKIP\b|\[!?(?:mayfail|shouldfail|\.)\]",
    r"\b(?:EXPECT|ASSERT|CHECK|REQUIRE)\w*\s*\(",
)
_SWIFT: Final = _patterns(
    r"\bfunc test\w*\s*\(|@Test\b", r"\bXCTSkip\w*|\.disabled\(", r"\bXCTAssert\w*|#expect\b|#require\b"
)

LANGUAGES: Final[dict[str, Patterns]] = {
    **dict.fromkeys((".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".vue"), _JAVASCRIPT),
    **dict.fromkeys((".java", ".kt", ".kts", ".scala", ".cs", ".groovy"), _JVM),
    **dict.fromkeys((".c", ".cc", ".cpp", ".cxx", ".h", ".hpp"), _CPP),
    ".go": _GO,
    ".php": _PHP,
    ".rb": _RUBY,
    ".rs": _RUST,
    ".swift": _SWIFT,
}


def read(source: Source, patterns: Patterns) -> Iterator[SourceFact]:
    """A file that is new has lost nothing; one that is gone has lost all."""
    old, new = _plain(source.old or "", patterns), _plain(source.new or "", patterns)
    tests = len(patterns.test.findall(old)), len(patterns.test.findall(new))
    skips = len(patterns.skip.findall(old)), len(patterns.skip.findall(new))
    checks = len(patterns.check.findall(old)), len(patterns.check.findall(new))
    if tests[1] < tests[0]:
        yield source.fact(FactKind.TESTS_FEWER, before=tests[0], after=tests[1])
    if source.old is not None and skips[1] > skips[0]:
        yield source.fact(FactKind.TEST_SKIPPED, before=skips[0], after=skips[1])
    if source.new is not None and checks[1] < checks[0]:
        yield source.fact(FactKind.TEST_WEAKENED, before=checks[0], after=checks[1])


def _plain(text: str, patterns: Patterns) -> str:
    """Without comments: a test that is commented out is none."""
    return (_HASH_COMMENT if patterns is _RUBY else _COMMENT).sub("", text)
