"""`make bench [ONLY=id]`: measures, writes bench/results.json and the table in docs/benchmarks.md.

A figure that misses its goal stays in the table. Nothing here fails: machines are noisy.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench import (  # noqa: E402
    admission,
    approve,
    burst,
    cli,
    events,
    failover,
    growth,
    guards,
    limits,
    machine,
    one_run,
    profile,
    scale,
    setup_times,
    stress,
    waiting,
)
from tests.bench.figure import Figure  # noqa: E402

BENCHES = {
    "one-run": one_run.measure,
    "stress-50": stress.measure,
    "guards": guards.measure,
    "limits": limits.measure,
    "setup": setup_times.measure,
    "setup-cold": setup_times.measure_cold,
    "test": setup_times.measure_tests,
    "events": events.measure,
    "scale": scale.measure,
    "waiting": waiting.measure,
    "burst": burst.created,
    "labelled": burst.labelled,
    "failover": failover.measure,
    "admission": admission.measure,
    "approve-merge": approve.measure,
    "cli-start": cli.measure,
}
RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
NOTES = {
    "cli-start": "median of 20 starts, each a process. Verbs on a cluster load the Kubernetes client and the API's models besides",
    "one-run": "one issue of the demo's project, label to merge, policy Autonomous, a mean of three; counts are of the last. From the "
    "record of the claim to that of the merge. Model: until its answers were there; checks: the project's own lint and tests, in the "
    "sandbox (before the change, after it, and when the model asks) and on GitHub. What is left is orch's own: most of it starts "
    "sandboxes and git, and up to 2 s pass until the next look at the checks",
    "stress-50": "50 issues in 5 repositories at once, with right, wrong-then-right and never-right models. Writes hold Events and "
    "documents too; a run that waits for its turn on two cores retries and writes more than one alone",
    "limits": "200 repositories on one token, polled each minute, 20 of them with an issue that is labelled within one minute; "
    "GitHub's limits (5,000 requests and 500 contents an hour, 900 points and 80 contents a minute) are enforced in true minutes and "
    "hours, nothing is scaled, and the operator is killed and started again on the way. Runs an hour of one credential: the 500 contents "
    "of an hour divided by the writes of a run, each of which counts as content, as GitHub does not say which do. A run that is fixed or "
    "asked about writes more. Another 500 need another account: a GitHub App has its own for each installation. "
    "Label to claim is the wait for the next poll, and a few seconds",
    "guards": "false alarms on two releases each of ten packages (flask, click, jinja2, werkzeug, requests, attrs, packaging, urllib3, "
    "pluggy, wtforms): each file as if it were added, and what changed in between. Asked about tests are changes that removed, skipped or "
    "weakened some, which maintainers may do. Seconds are of the processor, for reading both sides with all readers, without the start of "
    "the process (0.8 s)",
    "setup": "`make setup` and `make demo` when everything is there",
    "setup-cold": "the same from a fresh clone with empty caches. Here the control plane was built from Go modules, since the "
    "official release could not be reached; where it can, that part takes seconds",
    "test": "`make test` on a fresh clone once it is set up, so without any cache of the linters. Each death of the crash matrices, each "
    "soak is the real thing: a quarter of the processor time goes to API servers and their stores, a fifth to steps and their sandboxes",
    "events": "objects a second through `orch.runtime` with a reconciler that does nothing, and through a bare kopf handler. Live: both "
    "watch while objects are created; listed: the objects are there before. orch takes kopf's list over as a whole, where kopf makes "
    "a task for each object",
    "scale": "the operator's start before so many IssueRuns of 6 kB status, of which 200 are active (they wait for checks), over 100 "
    "repositories. Seconds count from the start of the process, memory is its peak. GitHub, git and steps answer at once",
    "waiting": "1,000 runs that wait, over 100 repositories: half for checks that run for two hours already (a run is looked at after a "
    "tenth of its wait, at most five minutes later), half for people, who have been asked and do not answer (a look in five minutes)",
    "burst": "200 runs created at once over 20 repositories; GitHub, git and steps answer at once, the control loop is the real one",
    "labelled": "200 labelled issues of one repository with maxActiveRuns 20 and one issue of another; steps take 2 s",
    "admission": "what the admission policies add to a write: the same request in a namespace that they select and in one that they do "
    "not, in turn. `decide`: a person's merge patch of an Approval; `run`: a person's new IssueRun; `status`: the operator's",
    "approve-merge": "50 runs in 5 repositories wait at the gate Merge; a person allows one after the other, each when the one before is "
    "merged. From the patch that is sent to the end of GitHub's answer to the merge",
    "failover": "from the leader's last reconcile to its standby's first, with the Lease's true times (15, 10 and 2 s), pairs side by side",
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
                print(figure, flush=True)
            _keep(list(known.values()))
    return 0


def _keep(figures: list[Figure]) -> None:
    """Write all that is known: the next bench may fail."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([vars(figure) for figure in figures], indent=1) + "\n")
    growth.draw(figures, PAGE.parent / growth.PICTURE)
    PAGE.write_text(_page(figures))


def _page(figures: list[Figure]) -> str:
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` (`make bench ONLY=one-run` for a part). Last machine: {machine.described()}.",
        "",
        "| figure | value | goal | met |",
        "|---|---|---|---|",
        *(f"| {figure.id} | {figure.shown} | {figure.goal or '–'} | {figure.verdict} |" for figure in figures),
        "",
        *(f"- **{name}**: {note}." for name, note in NOTES.items()),
        "",
        *growth.page(figures),
        profile.SECTION,
    ]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
