"""`make bench [ONLY=id]`: measures, writes bench/results.json and the table in docs/benchmarks.md.

A figure that misses its goal stays in the table. Nothing here fails: machines are noisy.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench import one_run, setup_times, stress  # noqa: E402
from tests.bench.figure import Figure  # noqa: E402

BENCHES = {
    "one-run": one_run.measure,
    "stress-50": stress.measure,
    "setup": setup_times.measure,
    "setup-cold": setup_times.measure_cold,
}
RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
NOTES = {
    "one-run": "one issue of the demo's project, label to merge, policy Autonomous. What holds its own seconds back: the project's "
    "lint and tests, which the sandbox runs before and after the change (about 2 s), and up to 1 s until the next look at the checks",
    "stress-50": "50 issues in 5 repositories at once, with right, wrong-then-right and never-right models. Writes hold Events and "
    "documents too; a run that waits for its turn on two cores retries and writes more than one alone",
    "setup": "`make setup` and `make demo` when everything is there",
    "setup-cold": "the same from a fresh clone with empty caches. Here the control plane was built from Go modules, since the "
    "official release could not be reached; where it can, that part takes seconds",
}


def main(only: str | None) -> int:
    """Run the benches, all or one, and keep the figures of those that did not run."""
    if only is not None and only not in BENCHES:
        sys.stderr.write(f"bench: there is no {only!r}; there are: {', '.join(BENCHES)}\n")
        return 2
    known = {entry["id"]: Figure(**entry) for entry in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    for name, measure in BENCHES.items():
        if only in (None, name):
            for figure in measure():
                known[figure.id] = figure
                print(figure)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([vars(figure) for figure in known.values()], indent=1) + "\n")
    PAGE.write_text(_page(list(known.values())))
    return 0


def _page(figures: list[Figure]) -> str:
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench` (`make bench ONLY=one-run` for a part). "
        f"Last machine: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}.",
        "",
        "| figure | value | goal | met |",
        "|---|---|---|---|",
        *(
            f"| {figure.id} | {figure.value:g} {figure.unit} | {figure.goal or '–'} | {figure.verdict} |"
            for figure in figures
        ),
        "",
        *(f"- **{name}**: {note}." for name, note in NOTES.items()),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
