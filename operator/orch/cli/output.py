"""How verbs print a line. Called by every verb. Text from outside loses control characters here; colour is used on a
terminal only, and not with NO_COLOR (Rich sees to both)."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from orch.policy.text import one_line


def say(text: str) -> None:
    """One line on stdout."""
    Console(highlight=False).print(Text(one_line(text, 4000)), soft_wrap=True)


def warn(text: str) -> None:
    """One line on stderr."""
    Console(stderr=True, highlight=False).print(Text(one_line(text, 4000)), soft_wrap=True)
