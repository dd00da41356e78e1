"""Tests of other languages than Python: how many there are, how many are skipped, how much they check, by patterns.

Called by `tests`. Names are not compared, so moving tests between files shows as fewer here and a new file there; the guard
asks a person, who sees that. To add a language is to add a line to `LANGUAGES`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading.source import Source


class Patterns(NamedTuple):
    """What a test, a skip and a check look like. Compiled when they are first looked for, since most changes need none."""

    test: str
    skip: str
    check: str


_COMMENT: Final = re.compile(r"(?<!:)//[^\n]*|/\*.*?\*/", re.DOTALL)
_HASH_COMMENT: Final = re.compile(r"(?m)^\s*#[^\n\[]*$")

_JAVASCRIPT: Final = Patterns(
    r"(?<![\w.$])x?(?:it|test)(?:\.\w+)*(?:\([^()\n]*\))?\s*\(\s*['\"`]",
    r"(?<![\w.$])(?:it|test|describe|context|suite)\.(?:skip|todo|fixme|failing|only)\b|(?<![\w.$])x(?:it|test|describe)\s*\(",
    r"\bexpect\s*\(|\bassert(?:\.\w+)?\s*\(|\.should\b",
)
_GO: Final = Patterns(
    r"^func (?:Test|Fuzz|Example)\w*\(|\bt\.Run\(",
    r"\bt\.Skip(?:f|Now)?\(|testing\.Short\(\)",
    r"\bt\.(?:Errorf?|Fatalf?|Fail|FailNow)\(|\b(?:assert|require)\.\w+\(",
)
_JVM: Final = Patterns(
    r"@(?:Test|ParameterizedTest|RepeatedTest|Property)\b|\[(?:Fact|Theory|Test|TestMethod|TestCase)\b",
    r"@(?:Disabled|Ignore)\b|\[Ignore\b|\bSkip\s*=|\bassume(?:True|False|That)?\s*\(",
    r"\b[Aa]ssert\w*\s*[.(]|\bverify\s*\(|\.[sS]hould\w*\b|\bexpectThrows\b",
)
_RUBY: Final = Patterns(
    r"^\s*x?(?:it|specify|scenario|test)\s+['\"]|^\s*def test_",
    r"^\s*x(?:it|describe|context)\b|\bskip\b|\bpending\b",
    r"\bexpect\s*[({]|\bassert\w*|\brefute\w*|\.should\b",
)
_RUST: Final = Patterns(r"#\[(?:\w+::)*test\b", r"#\[ignore\b", r"\b(?:debug_)?assert(?:_eq|_ne|_matches)?!|\bpanic!")
_PHP: Final = Patterns(
    r"function test\w*\s*\(|@test\b|#\[Test\]|(?<![\w$>])(?:it|test)\s*\(\s*['\"]",
    r"markTest(?:Skipped|Incomplete)|->skip\(",
    r"(?:\$this->|self::|static::)assert\w+|\bexpect\w*\s*\(",
)
_CPP: Final = Patterns(
    r"\b(?:TYPED_)?TEST(?:_[FP]|_CASE)?\s*\(|\bSCENARIO\s*\(",
    r"\bDISABLED_|\bGTEST_SKIP\b|\[!?(?:mayfail|shouldfail|\.)\]",
    r"\b(?:EXPECT|ASSERT|CHECK|REQUIRE)\w*\s*\(",
)
_SWIFT: Final = Patterns(
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
    tests = _count(patterns.test, old), _count(patterns.test, new)
    skips = _count(patterns.skip, old), _count(patterns.skip, new)
    checks = _count(patterns.check, old), _count(patterns.check, new)
    if tests[1] < tests[0]:
        yield source.fact(FactKind.TESTS_FEWER, before=tests[0], after=tests[1])
    if source.old is not None and skips[1] > skips[0]:
        yield source.fact(FactKind.TEST_SKIPPED, before=skips[0], after=skips[1])
    if source.new is not None and checks[1] < checks[0]:
        yield source.fact(FactKind.TEST_WEAKENED, before=checks[0], after=checks[1])


def _count(pattern: str, text: str) -> int:
    return sum(1 for _ in re.finditer(pattern, text, re.MULTILINE))


def _plain(text: str, patterns: Patterns) -> str:
    """Without comments: a test that is commented out is none."""
    return (_HASH_COMMENT if patterns is _RUBY else _COMMENT).sub("", text)
