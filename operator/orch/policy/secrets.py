"""Finds credentials in text: in the lines that a change adds, and in everything that orch says to the outside.

Called by the secret guard and by the renderer. The patterns are detect-secrets' own; its scanner is not used, because
that reads files, keeps global settings and asks services whether a token is alive. Nothing here opens a connection.

Two degrees, since a wrong alarm must not end a run:

    certain   the shape of one vendor's credential, or a private key          guard: the action of SecretFound
    likely    `password = "…"`, a password in a URL, a JWT, a random string   guard: asks, unless a rule says Deny
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from detect_secrets.filters import heuristic
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.keyword import KeywordDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

REMOVED: Final = "«removed»"

_VENDORS: Final[tuple[type[RegexBasedDetector], ...]] = (
    AWSKeyDetector,
    AzureStorageKeyDetector,
    DiscordBotTokenDetector,
    GitHubTokenDetector,
    GitLabTokenDetector,
    MailchimpDetector,
    NpmDetector,
    OpenAIDetector,
    PypiTokenDetector,
    SendGridDetector,
    SlackDetector,
    SquareOAuthDetector,
    StripeDetector,
    TelegramBotTokenDetector,
    TwilioKeyDetector,
)

_MISSING_THERE: Final = (
    (
        "Private Key",
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?=.{0,300}?[A-Za-z0-9+/=]{40})"
            r"(?:.*?-----END [^-]*-----|.*)",
            re.S,
        ),
    ),
    ("GitHub Token", re.compile(r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})")),
    ("Anthropic Key", re.compile(r"(?<![A-Za-z0-9])sk-ant-[A-Za-z0-9_-]{20,}")),
    ("Google API Key", re.compile(r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}")),
    ("Orch Ticket", re.compile(r"eyJ[A-Za-z0-9_-]{20,}={0,2}\.[A-Za-z0-9_-]{43}=")),
)

_KEYWORD_HINT: Final = re.compile(r"key|pass|pwd|secret|contrase", re.I)
_LONGEST_LINE: Final = 1000
"""Characters; detect-secrets' keyword patterns back-track badly on longer ones."""

_SHORTEST: Final = 8
"""Characters of a password worth an alarm: tests are full of `password="test"`."""

_DIGEST_LENGTHS: Final = frozenset({32, 40, 56, 64, 96, 128})
"""Hex digits of md5, sha1, sha224, sha256, sha384, sha512: names of content, which tests and lock files are full of."""


@dataclass(frozen=True)
class Secret:
    """One find. `value` is what has to go; it is never printed."""

    kind: str
    certain: bool
    value: str

    def __repr__(self) -> str:
        return f"Secret(kind={self.kind!r}, certain={self.certain})"


def redact(text: str) -> str:
    """The text with each credential replaced by «removed»; longest first, so that none hides in another."""
    for secret in sorted(set(scan(text)), key=lambda s: len(s.value), reverse=True):
        text = text.replace(secret.value, REMOVED)
    return text


def scan(text: str, *, path: str = "") -> Iterator[Secret]:
    """All finds. Lock files are searched for certain ones only: they are full of random strings."""
    yield from _certain(text)
    if path and (heuristic.is_lock_file(path) or path.endswith((".lock", ".sum", ".svg", ".map"))):
        return
    yield from _random(text)
    for line in text.splitlines():
        if len(line) <= _LONGEST_LINE:
            yield from _likely(line, path)


def _certain(text: str) -> Iterator[Secret]:
    for kind, pattern in _MISSING_THERE:
        yield from (Secret(kind, certain=True, value=found.group()) for found in pattern.finditer(text))
    for plugin in _plugins(_VENDORS):
        for value in plugin.analyze_string(text):
            if not value.endswith(("EXAMPLE", "EXAMPLEKEY")):  # the keys of AWS's own documentation
                yield Secret(plugin.secret_type, certain=True, value=value)


def _likely(line: str, path: str) -> Iterator[Secret]:
    for plugin in _plugins((BasicAuthDetector, JwtTokenDetector)):
        for value in plugin.analyze_string(line):
            yield Secret(plugin.secret_type, certain=False, value=value)
    if _KEYWORD_HINT.search(line) and not heuristic.is_indirect_reference(line):
        for found in _keyword().analyze_line(filename=path, line=line, line_number=1):
            value = found.secret_value or ""
            if len(value) >= _SHORTEST and not _is_harmless(value):
                yield Secret("Secret Keyword", certain=False, value=value)


def _random(text: str) -> Iterator[Secret]:
    """Quoted strings that look random (Shannon entropy above detect-secrets' defaults)."""
    for plugin in _entropy():
        for value in set(plugin.analyze_string(text)):
            if len(value) < 20 or _is_harmless(value) or _is_digest(value):
                continue
            if plugin.calculate_shannon_entropy(value) > plugin.entropy_limit:
                yield Secret(plugin.secret_type, certain=False, value=value)


def _is_harmless(value: str) -> bool:
    return (
        heuristic.is_sequential_string(value)
        or heuristic.is_potential_uuid(value)
        or heuristic.is_templated_secret(value)
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_not_alphanumeric_string(value)
        or value == REMOVED
    )


def _is_digest(value: str) -> bool:
    is_hex = all(c in "0123456789abcdefABCDEF" for c in value)
    return (is_hex and len(value) in _DIGEST_LENGTHS) or value.startswith(("sha256-", "sha384-", "sha512-"))


@cache
def _plugins(kinds: tuple[type[RegexBasedDetector], ...]) -> tuple[RegexBasedDetector, ...]:
    return tuple(kind() for kind in kinds)


@cache
def _keyword() -> KeywordDetector:
    return KeywordDetector()


@cache
def _entropy() -> tuple[Base64HighEntropyString, HexHighEntropyString]:
    return Base64HighEntropyString(), HexHighEntropyString()
