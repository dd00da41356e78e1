"""Types, bounds and patterns: the real server and `orch.api.validate` give the same verdict, at the same fields."""

from typing import Any

import pytest
from kubernetes.aio.client import ApiClient
from tests.integration.api.documents import ABSENT, SAMPLES, Change, changed, sample
from tests.integration.api.server import Server

from orch.api.validate import validate

_FREEZE = {"name": "x", "schedule": "0 16 * * 5", "duration": "1h"}


def _freeze(schedule: str) -> Change:
    return {"spec.merge.freezes": [{**_FREEZE, "schedule": schedule}]}


REFUSED: list[tuple[str, Change, str]] = [
    ("minimal", {"spec.repository": ABSENT}, "spec.repository"),
    ("minimal", {"spec.credentialsRef": {}}, "spec.credentialsRef.name"),
    ("minimal", {"spec": ABSENT}, "spec"),
    ("minimal", {"spec.repository": "no-slash"}, "spec.repository"),
    ("minimal", {"spec.repository": "acme/web\n"}, "spec.repository"),
    ("minimal", {"spec.repository": "https://github.com/acme/web"}, "spec.repository"),
    ("minimal", {"spec.host": "https://github.com"}, "spec.host"),
    ("minimal", {"spec.repository": None}, "spec.repository"),
    ("minimal", {"spec.pipeline.test": [None]}, "spec.pipeline.test[0]"),
    ("minimal", {"spec.baseBranch": "a b"}, "spec.baseBranch"),
    ("minimal", {"spec.baseBranch": "a\u0085b"}, "spec.baseBranch"),
    ("minimal", {"spec.interval": "1d"}, "spec.interval"),
    ("minimal", {"spec.interval": "-1m"}, "spec.interval"),
    ("minimal", {"spec.interval": 60}, "spec.interval"),
    ("minimal", {"spec.suspend": "yes"}, "spec.suspend"),
    ("minimal", {"spec.mode": "autonomous"}, "spec.mode"),
    ("minimal", {"spec.issues.selector.anyOf": ["a", "b", "a"]}, "spec.issues.selector.anyOf[2]"),
    ("minimal", {"spec.issues.selector.anyOf": ["x" * 51]}, "spec.issues.selector.anyOf[0]"),
    ("minimal", {"spec.issues.selector.anyOf": [f"l{n}" for n in range(11)]}, "spec.issues.selector.anyOf"),
    ("minimal", {"spec.issues.selector.anyOf": "orch"}, "spec.issues.selector.anyOf"),
    ("minimal", {"spec.issues.trust.allowedActors": ["[bot]"]}, "spec.issues.trust.allowedActors[0]"),
    ("minimal", {"spec.issues.maxComplexity": 11}, "spec.issues.maxComplexity"),
    ("minimal", {"spec.issues.maxComplexity": 7.5}, "spec.issues.maxComplexity"),
    ("minimal", {"spec.issues.maxComplexity": True}, "spec.issues.maxComplexity"),
    ("minimal", {"spec.concurrency.maxActiveRuns": 0}, "spec.concurrency.maxActiveRuns"),
    ("minimal", {"spec.pipeline.workingDirectory": "/etc"}, "spec.pipeline.workingDirectory"),
    ("minimal", {"spec.pipeline.workingDirectory": ""}, "spec.pipeline.workingDirectory"),
    ("minimal", {"spec.pipeline.test": [""]}, "spec.pipeline.test[0]"),
    ("minimal", {"spec.pipeline.env": [{"name": "A"}]}, "spec.pipeline.env[0].value"),
    ("minimal", {"spec.pipeline.env": [{"name": "A B", "value": ""}]}, "spec.pipeline.env[0].name"),
    (
        "minimal",
        {"spec.pipeline.env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
        "spec.pipeline.env[1]",
    ),
    ("minimal", {"spec.model.temperature": "1.5"}, "spec.model.temperature"),
    ("minimal", {"spec.model.maxOutputTokens": 255}, "spec.model.maxOutputTokens"),
    ("minimal", {"spec.budget.perRunUSD": 5}, "spec.budget.perRunUSD"),
    ("minimal", {"spec.budget.perRunUSD": "-1"}, "spec.budget.perRunUSD"),
    ("minimal", {"spec.budget.perRunUSD": "1e3"}, "spec.budget.perRunUSD"),
    ("minimal", {"spec.budget.perRunUSD": "0.0000001"}, "spec.budget.perRunUSD"),
    ("minimal", {"spec.guards.rules": [{"guard": "Nope", "action": "Deny"}]}, "spec.guards.rules[0].guard"),
    ("minimal", {"spec.publish.branchPrefix": "orch"}, "spec.publish.branchPrefix"),
    ("minimal", {"spec.merge.method": "Unknown"}, "spec.merge.method"),
    (
        "minimal",
        _freeze("0 25 * * *"),
        "spec.merge.freezes[0].schedule",
    ),
    (
        "minimal",
        _freeze("every day"),
        "spec.merge.freezes[0].schedule",
    ),
    ("minimal", {"spec.interval": "99999999999999h"}, "spec.interval"),
    ("minimal", {"spec.merge.freezes": [{**_FREEZE, "timeZone": "Mars/Olympus"}]}, "spec.merge.freezes[0].timeZone"),
    ("minimal", {"spec.merge.freezes": [{**_FREEZE, "timeZone": "+02:00"}]}, "spec.merge.freezes[0].timeZone"),
    ("minimal", {"spec.issues": []}, "spec.issues"),
    ("issuerun", {"spec.issueNumber": 0}, "spec.issueNumber"),
    ("issuerun", {"spec.issueNumber": "123"}, "spec.issueNumber"),
    ("issuerun", {"spec.trigger.type": "Roadmap"}, "spec.trigger.type"),
    ("issuerun", {"spec.trigger.time": "2026-11-22 10:00"}, "spec.trigger.time"),
    ("issuerun", {"spec.trigger.time": "2026-02-30T10:00:00Z"}, "spec.trigger.time"),
    ("issuerun", {"spec.overrides.planApproval": "Never"}, "spec.overrides.planApproval"),
    ("approval", {"spec.subject.headSHA": "abc"}, "spec.subject.headSHA"),
    ("approval", {"spec.subject.digest": "sha256:" + "g" * 64}, "spec.subject.digest"),
    ("approval", {"spec.decisions": {"alice": {"verdict": "Maybe"}}}, "spec.decisions.alice.verdict"),
    ("approval", {"spec.decisions": {f"u{n}": {"verdict": "Deny"} for n in range(33)}}, "spec.decisions"),
    ("approval", {"spec.decisions": {"alice": {"verdict": "Deny", "groups": "x"}}}, "spec.decisions.alice.groups"),
    ("minimal", {"spec.approvals.requester": "Never"}, "spec.approvals.requester"),
    ("minimal", {"spec.approvals.users": [f"u{n}" for n in range(33)]}, "spec.approvals.users"),
    ("minimal", {"spec.approvals.rules": [{"name": "x"}]}, "spec.approvals.rules[0].match"),
    (
        "minimal",
        {"spec.approvals.rules": [{"name": "x", "match": {"gates": ["Merge"]}}] * 2},
        "spec.approvals.rules[1]",
    ),
    ("rollbackpoint", {"spec.merge.commits": ["short"]}, "spec.merge.commits[0]"),
    ("rollbackpoint", {"spec.description": "two\nlines"}, "spec.description"),
    ("minimal", {"metadata.name": "Upper"}, "metadata.name"),
    ("minimal", {"metadata.name": ABSENT}, "metadata.name"),
]

ACCEPTED: list[tuple[str, Change]] = [
    ("minimal", {"spec.host": None, "spec.baseBranch": None, "spec.suspend": None}),
    ("minimal", {"spec.issues": None, "spec.approvals": {"gates": []}}),
    ("minimal", {"spec.issues.selector.anyOf": []}),
    ("minimal", {"spec.issues.selector.anyOf": ["größe: ☃ " + "é" * 41]}),
    ("minimal", {"spec.issues.maxComplexity": 0, "spec.issues.minConfidencePercent": 100}),
    ("minimal", {"spec.baseBranch": "release/1.x"}),
    ("minimal", {"spec.interval": "1h30m", "spec.pipeline.timeouts": {"test": "90.5s"}}),
    ("minimal", {"spec.pipeline.setup": ["printf 'a\\n'\nmake"]}),
    ("minimal", {"spec.model.temperature": "1.0"}),
    ("minimal", {"spec.budget.perRunUSD": "0.000001"}),
    (
        "minimal",
        _freeze("*/5 0-6,22 1 JAN-MAR MON"),
    ),
    ("issuerun", {"spec.trigger.time": "2026-11-22T10:00:00.123+01:00"}),
    ("approval", {"spec.decisions": {"system:serviceaccount:ns:name": {"verdict": "Deny"}}}),
    ("approval", {"spec.decisions": {"alice": None}}),
    ("approval", {"spec.requester": {}, "spec.review": {}}),
]

UNKNOWN: list[tuple[str, Change, str]] = [
    ("minimal", {"spec.guards.protectedPath": ["x"]}, "spec.guards.protectedPath"),
    ("minimal", {"spec.budget.dailyUSD": "5"}, "spec.budget.dailyUSD"),
    ("minimal", {"spec.pipeline.env": [{"name": "A", "value": "", "valueFrom": {}}]}, "spec.pipeline.env[0].valueFrom"),
    ("minimal", {"sepc": {}}, "sepc"),
    ("minimal", {"metadata.label": {}}, "metadata.label"),
    ("approval", {"spec.decisions": {"alice": {"verdict": "Deny", "group": "x"}}}, "spec.decisions.alice.group"),
    ("rollbackpoint", {"status": {}}, "status"),
]


@pytest.mark.parametrize(("name", "changes", "path"), REFUSED, ids=str)
async def test_refused(name: str, changes: Change, path: str, api: ApiClient) -> None:
    document = changed(sample(name), changes)

    refused = await Server(api, "default").refusal(document)

    assert refused is not None
    assert path in refused.fields or path in refused.message
    assert {problem.path for problem in validate(document)} == {path}


@pytest.mark.parametrize(("name", "changes"), ACCEPTED, ids=str)
async def test_accepted(name: str, changes: Change, api: ApiClient) -> None:
    document = changed(sample(name), changes)
    assert await Server(api, "default").refusal(document) is None
    assert validate(document) == []


@pytest.mark.parametrize(("name", "changes", "path"), UNKNOWN, ids=str)
async def test_unknown_fields(name: str, changes: Change, path: str, api: ApiClient) -> None:
    document = changed(sample(name), changes)

    refused = await Server(api, "default").refusal(document)

    assert refused is not None
    assert f'unknown field "{path}"' in refused.message
    (problem,) = validate(document)
    assert problem.path == path
    assert problem.message.startswith("unknown field")


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.yaml")))
async def test_samples(name: str, api: ApiClient) -> None:
    document: dict[str, Any] = sample(name)
    assert await Server(api, "default").refusal(document) is None
    assert validate(document) == []
