"""How the figures of `scale` grow with the number of objects: a table, and a picture of it for docs/benchmarks.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.bench.figure import Figure

PICTURE: Final = "benchmarks-growth.png"
_SHOWN: Final = {
    "first-reconcile-seconds": "start to the first reconcile of the last active run (s)",
    "first-step-seconds": "start to the first step of a new run (s)",
    "rss-megabytes": "peak memory (MB)",
    "requests-per-500-objects": "list and watch requests per 500 objects",
    "growth-per-finished-run": "memory of each finished run since the smallest size (kB)",
    "finished-written": "finished runs that were written",
}
"""Every figure of `scale` that can depend on the number of objects."""


def curves(figures: Iterable[Figure]) -> dict[str, dict[int, float]]:
    """Figure → objects → value."""
    found: dict[str, dict[int, float]] = {name: {} for name in _SHOWN}
    for figure in figures:
        match = re.fullmatch(r"scale-(\d+)-(.+)", figure.id)
        if match and match[2] in found:
            found[match[2]][int(match[1])] = figure.value
    found["growth-per-finished-run"] = _per_run(found["rss-megabytes"])
    return {name: dict(sorted(points.items())) for name, points in found.items() if points}


def _sizes(found: Mapping[str, Mapping[int, float]]) -> list[int]:
    return sorted({size for points in found.values() for size in points})


def _per_run(megabytes: Mapping[int, float]) -> dict[int, float]:
    """Kilobytes for each run more than at the smallest size: what is measured is the memory, as a whole."""
    least = min(megabytes, default=0)
    return {
        size: round((value - megabytes[least]) * 1000 / (size - least), 2)
        for size, value in megabytes.items()
        if size > least
    }


def draw(figures: Iterable[Figure], path: Path) -> None:
    """Write the picture; without figures of `scale` there is none."""
    from matplotlib.figure import Figure as Picture

    found = curves(figures)
    if not found:
        return
    sizes = _sizes(found)
    picture = Picture(figsize=(13, 6), layout="constrained")
    for axes, (name, points) in zip(picture.subplots(2, 3).flat, found.items(), strict=False):
        axes.plot(list(points), list(points.values()), marker="o")
        axes.set(title=_SHOWN[name], xlabel="IssueRuns")
        axes.title.set_size(9)
        axes.set_ylim(min(0, *points.values()), max(points.values()) * 1.1 or 1)
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], size=8)
        axes.grid(alpha=0.3)
    picture.savefig(path, dpi=110, metadata={"Software": None})


def page(figures: Sequence[Figure]) -> list[str]:
    """The lines of the section."""
    found = curves(figures)
    if not found:
        return []
    sizes = _sizes(found)
    return [
        "## Growth with the number of objects",
        "",
        f"![Growth of the figures of scale]({PICTURE})",
        "",
        f"| figure | {' | '.join(f'{size:,}' for size in sizes)} |",
        f"|---|{'---|' * len(sizes)}",
        *(
            f"| {_SHOWN[name]} | {' | '.join(f'{points[size]:g}' if size in points else '–' for size in sizes)} |"
            for name, points in found.items()
        ),
        "",
    ]
