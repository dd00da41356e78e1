"""An Approval in words: what it lacks, and all that a person needs to decide. Called by `explain`, `inbox`, `approvals` and
`approve`; pure.

Facts from code come first. The model's words come last, each line behind a bar, so that none can pass for a fact; titles
are a stranger's words, and stand in quotes. `output` takes control characters out of all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from orch.api.v1alpha1 import Approval, ApprovalOutcome, Missing, Subject
from orch.policy.approvals import lacks
from orch.policy.text import one_line, plain


def outcome_of(question: Approval) -> ApprovalOutcome:
    """How it stands; one that the operator has not looked at yet is open."""
    return question.status.outcome or ApprovalOutcome.PENDING


def lacking(question: Approval) -> str:
    """`2 approvals, of group security, by people with the verb approve`, as the operator last counted."""
    missing = question.status.missing or Missing(approvals=question.spec.policy.quorum)
    return f"{lacks(missing)} by {electorate(question)}"


def electorate(question: Approval) -> str:
    """Whose approvals count: of the policy itself, and of each rule that matched."""
    parts = [_people(question.spec.policy.users, question.spec.policy.groups)]
    parts += [f"for rule {rule.name} {_people(rule.users, rule.groups)}" for rule in question.spec.policy.rules]
    return "; ".join(dict.fromkeys(parts))


def _people(users: list[str], groups: list[str]) -> str:
    named = [*users, *(f"group {group}" for group in groups)]
    return " or ".join(named) if named else "people with the verb approve"


def subject_of(subject: Subject) -> str:
    """What exactly is asked about, on one line."""
    parts = [f"{subject.repository}#{subject.issue_number}" if subject.issue_number else subject.repository]
    if subject.pull_request_number:
        parts.append(f"pull request #{subject.pull_request_number}")
    if subject.base_branch:
        parts.append(f"into {subject.base_branch}")
    if subject.head_sha:
        parts.append(f"at {subject.head_sha[:12]}")
    return ", ".join(parts)


def view(question: Approval) -> list[str]:
    """The lines that are shown before somebody decides."""
    lines = [f"Approval {question.metadata.name}: gate {question.spec.gate}, {outcome_of(question)}"]
    lines += [f"  {name:<10} {one_line(text, 600)}" for name, text in _facts(question) if text]
    words = plain(question.spec.review.model_assessment or "").split("\n")
    if any(words):
        lines.append("  The model says (its words, nobody has checked them):")
        lines += [f"  | {one_line(line, 600)}" for line in words]
    return lines


def _facts(question: Approval) -> Iterator[tuple[str, str]]:
    spec, review = question.spec, question.spec.review
    yield "asks", subject_of(spec.subject)
    yield "title", f'"{one_line(review.title, 256)}"' if review.title else ""
    yield "link", review.url or ""
    yield "risk", spec.risk.value
    for reason in review.risk_reasons:
        yield "because", reason
    if review.changed_files is not None:
        yield "change", f"{review.changed_files} files, +{review.additions or 0} -{review.deletions or 0}"
    if review.tests_passed is not None or review.tests_failed is not None:
        counts = f"{review.tests_passed or 0} passed, {review.tests_failed or 0} failed"
        yield "tests", f"{counts}, as the sandbox claims: the pull request's checks are the proof"
    for reason in review.reasons:
        yield "why", reason
    for finding in review.findings:
        yield "finding", finding
    yield "set off by", spec.requester.username or spec.requester.github_login or ""
    yield "counts", electorate(question)
    if outcome_of(question) is ApprovalOutcome.PENDING:
        yield "lacks", lacks(question.status.missing or Missing(approvals=spec.policy.quorum))
    for decided in question.status.decisions:
        given = spec.decisions.get(decided.username)
        comment = f": {given.comment}" if given and given.comment else ""
        unfit = "" if decided.counted else f" (does not count: {decided.reason})"
        yield "decided", f"{decided.username} {decided.verdict}{unfit}{comment}"
    yield "until", f"{spec.expire_time:%Y-%m-%d %H:%M} UTC"
    yield "look", f"kubectl orch {'plan' if spec.subject.plan_digest else 'diff'} {spec.target.name}"
