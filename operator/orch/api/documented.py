"""Values that carry their own documentation, for people and for the reference pages. Used by `reasons` and `audit`."""

from __future__ import annotations

from enum import StrEnum


class Documented(StrEnum):
    """A value with its meaning."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Documented:
        """Each member is `NAME = value, meaning`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member
