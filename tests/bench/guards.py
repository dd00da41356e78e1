"""How often the guards ask about what people did in good faith, and how long reading takes.

Two kinds of changes that were released, so nobody meant harm: each file of a release as if it were added, and what changed
from one release to a later one. A finding of the secret guard there is a false alarm, but where the file does hold a private key
(test servers have some): those are counted apart. A finding of the guard of tests is a question that a person would answer with
yes: maintainers do remove tests, and most of those findings are true.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.bench.releases import PAIRS, texts

from orch.api.v1alpha1 import Guard, GuardAction, GuardsSpec
from orch.mirror.reading.__main__ import facts_of
from orch.mirror.reading.source import Source
from orch.policy.files import is_test
from orch.policy.guards import Finding, evaluate
from orch.ports import FileChange, TreeDiff

_MB = 1_000_000
_PRIVATE_KEY = "PRIVATE KEY-----\n"


class Tally:
    """Files that were looked at, and those about which each guard asked or refused."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.keys: set[str] = set()
        self.tests: set[str] = set()
        self.found: list[Finding] = []
        self.bytes, self.seconds = 0, 0.0

    def judge(self, package: str, old: dict[str, str], new: dict[str, str]) -> None:
        """Evaluate one change of a package."""
        paths = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
        began = time.process_time()
        facts = [fact for path in paths for fact in facts_of(Source(path, old.get(path), new.get(path)))]
        self.seconds += time.process_time() - began
        self.bytes += sum(len(side.get(path, "")) for side in (old, new) for path in paths)
        changes = tuple(_change(path, old.get(path), new.get(path)) for path in paths)
        diff = TreeDiff(digest="", tree="", changes=changes, facts=tuple(facts))
        keys = {path for path in paths if _PRIVATE_KEY in new.get(path, "")}
        self.keys |= {f"{package}/{path}" for path in keys}
        self.files |= {f"{package}/{path}" for path in paths if path not in keys}
        self.tests |= {f"{package}/{path}" for path in paths if is_test(path) and path.endswith(".py") and path in old}
        for finding in evaluate(diff, GuardsSpec()):
            if finding.action is not GuardAction.ALLOW:
                self.found.append(_of(package, finding))

    def share(self, guard: Guard, action: GuardAction, of: set[str]) -> float:
        """Per cent of these files that have such a finding."""
        hit = {f.path for f in self.found if f.guard is guard and f.action is action}
        return round(100 * len(hit & of) / len(of), 2)


def measure() -> Iterator[Figure]:
    """Figures of both kinds of changes. Downloads what is not in the cache yet."""
    added, changed = Tally(), Tally()
    for first, second in PAIRS:
        old, new = texts(first), texts(second)
        added.judge(second.name, {}, new)
        changed.judge(second.name, old, new)
    secret, deny, ask = Guard.SECRET_FOUND, GuardAction.DENY, GuardAction.APPROVE
    yield Figure("guards-added-files", len(added.files), "files")
    yield Figure(
        "guards-added-private-keys-found", added.share(secret, deny, added.keys), "% of the files with one", ">= 100"
    )
    yield Figure("guards-added-secret-denied-wrongly", added.share(secret, deny, added.files), "% of files", "<= 0.5")
    yield Figure("guards-added-secret-asked-wrongly", added.share(secret, ask, added.files), "% of files", "<= 5")
    yield Figure("guards-changed-files", len(changed.files), "files")
    yield Figure(
        "guards-changed-secret-denied-wrongly", changed.share(secret, deny, changed.files), "% of files", "<= 0.5"
    )
    yield Figure("guards-changed-secret-asked-wrongly", changed.share(secret, ask, changed.files), "% of files", "<= 2")
    weaker = changed.share(Guard.TESTS_MISSING, ask, changed.tests)
    yield Figure("guards-changed-test-files", len(changed.tests), "files")
    yield Figure("guards-changed-tests-asked", weaker, "% of test files", "<= 10")
    each = (added.seconds + changed.seconds) / (added.bytes + changed.bytes) * _MB
    yield Figure("guards-reading-seconds-per-mb", round(each, 2), "s", "<= 3")


def _change(path: str, old: str | None, new: str | None) -> FileChange:
    status = "A" if old is None else "D" if new is None else "M"
    modes = ("000000" if old is None else "100644", "000000" if new is None else "100644")
    size = len((new or "").encode())
    return FileChange(path, status, *modes, size=size, binary=False, additions=int(new is not None), deletions=0)


def _of(package: str, finding: Finding) -> Finding:
    path = f"{package}/{finding.path}"
    return Finding(finding.guard, finding.action, path, finding.rule, finding.message, finding.line)
