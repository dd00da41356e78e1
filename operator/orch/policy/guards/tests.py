"""TestsMissing: tests that are gone, skipped or check less than before. Called by `guards.evaluate`.

A model that may change tests can make them pass by making them say nothing. What moved is not missing: a test whose body
stands in another place, or whose name does with as many checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from orch.api.facts import FactKind, SourceFact
from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard
from orch.policy.diff import facts, is_deleted, unread
from orch.policy.files import is_code, is_test
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, find, has_rule, listing
from orch.ports import FileChange, TreeDiff


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """One finding per file and kind."""
    removed, skipped = facts(diff, FactKind.TEST_REMOVED), facts(diff, FactKind.TEST_SKIPPED)
    fewer, weakened = facts(diff, FactKind.TESTS_FEWER), facts(diff, FactKind.TEST_WEAKENED)
    added = [fact for found in facts(diff, FactKind.TEST_ADDED).values() for fact in found]
    not_read = unread(diff, "tests")
    for change in diff.changes:
        path = change.path
        if globs.match(path, spec.exempt_paths):
            continue
        gone = [fact for fact in removed.get(path, ()) if not _moved(fact, added)]
        yield from _named(spec, gone, "TestsRemoved", "no longer runs")
        yield from _named(spec, skipped.get(path, ()), "TestsSkipped", "skips or expects the failure of")
        yield from _named(spec, weakened.get(path, ()), "TestsWeakened", "checks less than before in")
        if is_deleted(change):
            yield from _deleted(change, diff, spec)
        else:
            for fact in fewer.get(path, ()):
                message = f"has {fact.after} tests, {fact.before} before: a person has to say that they are not needed"
                yield find(Guard.TESTS_MISSING, spec, path, "TestsRemoved", message)
            if is_test(path) and is_code(path) and path in not_read:
                message = f"was not compared with its tests before, as {not_read[path]}: a person has to look"
                yield find(Guard.TESTS_MISSING, spec, path, "NotRead", message)
    yield from _untested(diff, spec)


def _moved(gone: SourceFact, added: Sequence[SourceFact]) -> bool:
    return any(
        fact.detail == gone.detail or (fact.subject == gone.subject and fact.after >= gone.before) for fact in added
    )


def _named(spec: GuardsSpec, found: Sequence[SourceFact], rule: str, what: str) -> Iterator[Finding]:
    if found:
        names = listing(fact.subject or "the whole file" for fact in found)
        message = f"{what} {names}: a person has to say that it is right"
        yield find(Guard.TESTS_MISSING, spec, found[0].path, rule, message, found[0].line)


def _deleted(change: FileChange, diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """A file of tests in a language whose tests have no names for us. One of the same name elsewhere has taken its place."""
    path = PurePosixPath(change.path)
    if path.suffix == ".py" or not (is_test(change.path) and is_code(change.path)):
        return
    if not any(other.status == "A" and PurePosixPath(other.path).name == path.name for other in diff.changes):
        yield find(Guard.TESTS_MISSING, spec, change.path, "TestsRemoved", "is deleted with all its tests")


def _untested(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """Code changed and no test did. Told only where a rule names the guard: many a good change needs no new test."""
    if not has_rule(Guard.TESTS_MISSING, spec):
        return
    grown = [
        c.path for c in diff.changes if c.additions and is_code(c.path) and not globs.match(c.path, spec.exempt_paths)
    ]
    if any(map(is_test, grown)):
        return
    if code := [path for path in grown if not is_test(path)]:
        message = f"{listing(code)} changed and no test did: add one, or let a person say that none is needed"
        yield find(Guard.TESTS_MISSING, spec, "", "NoTestChanged", message)
