"""The renderer: whatever comes in, nothing that goes out commands, mentions, links, hides or leaks."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.policy.render import find_marker, marker, neutral, one_line, render_title, render_untrusted, visible

FORBIDDEN = {
    "a mention": r"@[A-Za-z0-9\\*_`-]",
    "a reference": r"#[0-9\\*_`]",
    "a GH- reference": r"(?i)\bGH[\\*_]*-",
    "HTML": r"<[A-Za-z/!?]",
    "an entity": r"&[#A-Za-z]",
    "an image": r"!\[",
    "a link": r"\]\(|\]\[|\]:",
    "an address": r"://|(?i:\bwww\.)",
    "a command": r"(?m)^[ \t>*+-]*/[A-Za-z]",
    "bors": r"(?im)^[ \t>*+-]*bors\b",
    "a skip marker": r"(?i)\[\s*(skip|no|ci|actions)\b|\bskip-checks|\bNO_CI\b",
    "a diagram": r"(?m)^([ \t>*+-]|\d{1,9}[.)])*(`{3,}|~{3,})[^`~\s\u200b…]",
}
PIECES = st.sampled_from(
    ["@", "#", "1", "GH-", "user", "/", "lgtm", "<", "img", ">", "!", "[", "]", "(", ")", "&", "#64;", "://", "http",
     "www.", "bors r+", "[skip ci]", "```", "~~~", "mermaid", "1. ", "\n", "\r", "\t", " ", "\\", "*", "_", "`", "\u200b", "\u202e",
     "\0", "\x1b", "-", "closes ", "orch:", "<!-- ", " -->", "«removed»", "\ud800", "\u2028"]
)  # fmt: skip
HOSTILE = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=60).map("".join))


def broken_rules(text: str) -> list[str]:
    return [name for name, form in FORBIDDEN.items() if re.search(form, text)]


@given(HOSTILE, st.integers(min_value=10, max_value=400))
def test_whatever_comes_in_nothing_forbidden_goes_out(text: str, limit: int) -> None:
    out = render_untrusted(text, limit)
    assert broken_rules(out) == []
    assert len(out) <= limit
    assert all(line.startswith(">") for line in out.splitlines() if line), "each line is a quote of its own"
    assert out == "" or out.endswith("\n\n"), "what follows is not swallowed"
    assert not any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in out)
    assert "\u202e" not in out


@given(HOSTILE)
def test_neutral_twice_is_neutral_once(text: str) -> None:
    assert neutral(neutral(text)) == neutral(text)


@given(HOSTILE, st.integers(min_value=5, max_value=100))
def test_titles(text: str, limit: int) -> None:
    out = render_title(text, limit)
    assert broken_rules(out) == []
    assert len(out) <= limit
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in out)


@given(HOSTILE, st.integers(min_value=5, max_value=100))
def test_one_line_fits_a_condition(text: str, limit: int) -> None:
    out = one_line(text, limit)
    assert len(out) <= limit
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in out)
    assert one_line(out, limit) == out


@given(HOSTILE)
def test_visible_hides_nothing(text: str) -> None:
    out = visible(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in out)


def test_people_still_read_the_text() -> None:
    out = render_untrusted("Fixes the **parser**:\n\n- one `x`\n- two")
    assert out == "> Fixes the **parser**:\n>\n> - one `x`\n> - two\n\n"


@pytest.mark.parametrize("text", ["", "\n\n", "\0\u202e", "   "])
def test_nothing_gives_nothing(text: str) -> None:
    assert render_untrusted(text) == ""


@pytest.mark.parametrize(
    "secret",
    ["ghp_" + "a1B2" * 9, "sk-ant-api03-" + "x" * 30, "github_pat_" + "Z9" * 20, "AKIA" + "QWERTYUIOPASDFGH"],
)
def test_credentials_are_removed_even_when_hidden_in_between(secret: str) -> None:
    hidden = secret[:8] + "\u200b" + secret[8:]
    for text in (secret, hidden):
        out = render_untrusted(f"the token is {text}, use it")
        assert "«removed»" in out
        assert secret[8:] not in out
        assert "«removed»" in render_title(f"the token is {text}")


def test_a_whole_private_key_is_removed() -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXk\n" * 20 + "-----END OPENSSH PRIVATE KEY-----"
    assert "b3Blbn" not in render_untrusted(f"before\n{key.replace(chr(10), 'Q' * 30 + chr(10))}\nafter", 100_000)


def test_a_large_text_is_cut() -> None:
    out = render_untrusted("word " * 60_000, 500)
    assert len(out) <= 500
    assert out.rstrip().endswith("…")


@pytest.mark.parametrize(
    "text", ["/ " * 100_000, "\n" * 200_000, "@" * 100_000, "ok " * 100_000, "> " * 100_000, "[" * 200_000]
)
def test_no_text_takes_for_ever(text: str) -> None:
    assert len(render_untrusted(text, 1000)) <= 1000


def test_markers() -> None:
    line = marker("0123456789abcdef", "claim")
    assert find_marker(f"{line}\nhello") == ("claim", "0123456789abcdef")
    assert find_marker(f"{line}\r\nhello") == ("claim", "0123456789abcdef")
    assert find_marker(f"quoted\n{line}\n") is None
    assert find_marker(render_untrusted(line)) is None
    assert find_marker("") is None


@pytest.mark.parametrize(
    ("identity", "kind"), [("x", "claim"), ("0123456789abcdef", "a b"), ("0" * 16 + " -->", "claim")]
)
def test_no_marker_of_hostile_text(identity: str, kind: str) -> None:
    with pytest.raises(ValueError, match="no marker"):
        marker(identity, kind)
