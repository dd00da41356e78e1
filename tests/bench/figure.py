"""One measured figure."""

from __future__ import annotations

import operator
from dataclasses import dataclass

_COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


@dataclass(frozen=True)
class Figure:
    """`goal` is like `<= 5`; empty for a figure that is only told."""

    id: str
    value: float
    unit: str
    goal: str = ""

    @property
    def verdict(self) -> str:
        """yes, no, or nothing to meet."""
        if not self.goal:
            return ""
        sign, bound = self.goal.split()
        return "yes" if _COMPARE[sign](self.value, float(bound)) else "**no**"

    @property
    def shown(self) -> str:
        """The value, without a zero's sign, and its unit."""
        return f"{self.value + 0:g} {self.unit}"

    def __str__(self) -> str:
        return f"{self.id}: {self.shown} {f'(goal {self.goal})' if self.goal else ''}"
