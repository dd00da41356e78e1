"""Words of the API that options take. Repeated here because importing the API's models takes longer than all help; a test
holds them to the originals."""

from __future__ import annotations

from enum import StrEnum


class ModeName(StrEnum):
    """The values of `spec.mode`."""

    MANUAL = "Manual"
    SUPERVISED = "Supervised"
    AUTONOMOUS = "Autonomous"


class Shell(StrEnum):
    """Shells that can be completed."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
