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

    def __str__(self) -> str:
        return f"{self.id}: {self.value:g} {self.unit} {f'(goal {self.goal})' if self.goal else ''}"
