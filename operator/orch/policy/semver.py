"""What a version promises to whoever uses the release before it. Called by the BreakingChange guard; pure.

Semantic Versioning 2.0.0, https://semver.org: what breaks needs a new major version (§8). Before 1.0.0 anything may change
(§4); there the minor version is the one to raise, as Cargo and npm read it.
"""

from __future__ import annotations

from packaging.version import InvalidVersion, Version


def next_breaking(version: str) -> str | None:
    """The lowest version after `version` that may break its users: 1.4.2 → 2.0.0, 0.4.2 → 0.5.0. None: it is no version."""
    parsed = _parse(version)
    if parsed is None:
        return None
    return f"{parsed.major + 1}.0.0" if parsed.major else f"0.{parsed.minor + 1}.0"


def may_break(old: str, new: str) -> bool | None:
    """Whether who used `old` has to expect that `new` breaks; None when one of them is no version.

    A pre-release of the next breaking version may: 2.0.0rc1 after 1.4.2."""
    before, after = _parse(old), _parse(new)
    if before is None or after is None:
        return None
    if before.major or after.major:
        return after.major > before.major
    return after.minor > before.minor


def _parse(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
