"""The models: what they read and write, and what they leave alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from tests.builders import a_repo

from orch.api.v1alpha1 import (
    KINDS,
    Approval,
    ConditionStatus,
    Effect,
    EffectState,
    FailureClass,
    FailureStatus,
    IssueRun,
    IssueType,
    LocalRef,
    Mode,
    ModelStage,
    OrchestratedRepo,
    RollbackPoint,
    RunStage,
    Step,
    StepState,
)
from orch.api.v1alpha1.common import to_wire
from orch.api.work import AnalysisType, StepStage
from orch.errors import OrchError

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SHA = "1" * 40
DIGEST = "sha256:" + "2" * 64


def a_document(kind: str = "IssueRun", **sections: Any) -> dict[str, Any]:
    spec = {"repositoryRef": {"name": "web"}, "issueNumber": 7, "trigger": {"type": "Manual", "username": "alice"}}
    return {"apiVersion": "orch.dev/v1alpha1", "kind": kind, "metadata": {"name": "web-7-1"}, "spec": spec, **sections}


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("issue_number", "issueNumber"),
        ("head_sha", "headSHA"),
        ("per_run_usd", "perRunUSD"),
        ("event_id", "eventID"),
        ("runner_uid", "runnerUID"),
        ("node_id", "nodeID"),
        ("sha", "sha"),
        ("uid", "uid"),
        ("url", "url"),
        ("class_", "class"),
        ("resource_version", "resourceVersion"),
    ],
)
def test_names_on_the_wire(name: str, wire: str) -> None:
    assert to_wire(name) == wire


def test_defaults_are_the_documented_ones() -> None:
    repo = OrchestratedRepo.model_validate(
        {"metadata": {"name": "web"}, "spec": {"repository": "acme/web", "credentialsRef": {"name": "x"}}}
    )
    spec = repo.spec
    assert (spec.mode, spec.host, spec.interval, spec.suspend) == (
        Mode.SUPERVISED,
        "github.com",
        timedelta(minutes=1),
        None,
    )
    assert spec.issues.selector.any_of == ["orch"]
    assert spec.issues.selector.none_of == ["blocked", "manual-only", "wontfix"]
    assert spec.budget.per_run_usd == Decimal(5)
    assert spec.pipeline.timeouts.run == timedelta(hours=72)
    assert repo.status.observed_generation == -1
    assert repo.kind == "OrchestratedRepo"
    assert repo.api_version == "orch.dev/v1alpha1"


def test_unknown_fields_of_a_newer_server_are_ignored() -> None:
    document = a_document(status={"observedGeneration": 2, "later": {"a": 1}}, later=1)
    document["metadata"]["managedFields"] = [{}]
    run = IssueRun.model_validate(document)
    assert run.status.observed_generation == 2
    assert run.dump()["metadata"] == {"name": "web-7-1"}


def test_what_was_read_is_what_is_written() -> None:
    document = a_document(
        metadata={
            "name": "web-7-1",
            "namespace": "team",
            "uid": "u",
            "resourceVersion": "12",
            "generation": 1,
            "labels": {"orch.dev/repo": "web"},
            "finalizers": ["orch.dev/cancel"],
            "ownerReferences": [
                {
                    "apiVersion": "orch.dev/v1alpha1",
                    "kind": "OrchestratedRepo",
                    "name": "web",
                    "uid": "v",
                    "controller": True,
                }
            ],
            "creationTimestamp": "2026-11-22T10:00:00Z",
        },
        status={
            "observedGeneration": 1,
            "conditions": [
                {
                    "type": "Succeeded",
                    "status": "Unknown",
                    "reason": "Progressing",
                    "message": "",
                    "lastTransitionTime": "2026-11-22T10:00:00Z",
                }
            ],
            "stage": "Merge",
            "branch": {"name": "orch/7-12345678", "headSHA": SHA, "takenOver": False},
            "steps": [
                {"name": "s", "state": "Running", "stage": "Plan", "attempt": 1, "costUSD": "0.84", "runnerUID": "0b"}
            ],
            "effects": [{"key": "pull-request", "state": "Done", "observed": "4", "time": "2026-11-22T10:00:00Z"}],
            "failure": {"class": "NeedsHuman", "reason": "R", "message": "m"},
            "rollbackPointRef": {"name": "web-4"},
        },
    )
    document["spec"] |= {"attempt": 1, "overrides": {"budgetUSD": "2.5"}}
    written = IssueRun.model_validate(document).dump()
    counters = {"attempts", "usage"}
    assert {key: value for key, value in written["status"].items() if key not in counters} == document["status"]
    assert {key: value for key, value in written.items() if key != "status"} == {
        key: value for key, value in document.items() if key != "status"
    }


def test_an_empty_list_is_written_only_where_it_says_something() -> None:
    document = {
        "metadata": {"name": "web"},
        "spec": {
            "repository": "acme/web",
            "credentialsRef": {"name": "x"},
            "issues": {"selector": {"anyOf": [], "allOf": []}},
            "pipeline": {"test": []},
        },
    }
    spec = OrchestratedRepo.model_validate(document).dump()["spec"]
    assert spec["issues"]["selector"] == {"anyOf": [], "noneOf": ["blocked", "manual-only", "wontfix"]}
    assert "test" not in spec["pipeline"]


def test_a_spec_cannot_be_changed() -> None:
    run = IssueRun.model_validate(a_document())
    with pytest.raises(ValidationError, match="frozen"):
        run.spec.issue_number = 8  # type: ignore[misc]


def test_a_status_is_changed_in_place_and_checked() -> None:
    run = IssueRun.model_validate(a_document())
    step = Step(name="web-7-1-plan-1", state=StepState.INTENDED, stage=RunStage.PLAN, attempt=1)
    run.status.steps = [*run.status.steps, step]
    step.runner_uid, step.cost_usd = "41", Decimal("0.10")
    run.status.start_time = NOW.replace(microsecond=5)
    run.status.usage.cost_usd = Decimal("1.27")
    run.status.effects.append(Effect(key="pull-request", state=EffectState.INTENDED, time=NOW))
    status = run.dump()["status"]
    assert status["steps"][0]["runnerUID"] == "41"
    assert status["steps"][0]["costUSD"] == "0.1"
    assert status["startTime"] == "2026-11-22T10:00:00Z"
    assert status["usage"]["costUSD"] == "1.27"
    assert status["effects"] == [{"key": "pull-request", "state": "Intended", "time": "2026-11-22T10:00:00Z"}]
    with pytest.raises(ValidationError):
        step.output_digest = "md5:1"


def test_a_deep_copy_is_independent() -> None:
    run = IssueRun.model_validate(a_document())
    run.status.steps = [Step(name="web-7-1-plan-1", state=StepState.INTENDED, stage=RunStage.PLAN, attempt=1)]
    copy = run.deep_copy()
    assert copy == run
    run.status.steps[0].state = StepState.LOST
    assert copy.status.steps[0].state is StepState.INTENDED
    run.status.attempts.implement = 1
    run.status.rollback_point_ref = LocalRef(name="web-4")
    assert copy.status.attempts.implement == 0
    assert copy != run


def test_a_failure_is_written_with_its_class() -> None:
    failure = FailureStatus(class_=FailureClass.LOST, reason="Lost", message="gone")
    assert failure.dump() == {"class": "Lost", "reason": "Lost", "message": "gone"}


def test_decisions_are_a_map() -> None:
    decision = {"oidc:alice@acme.example": {"verdict": "Deny", "comment": "no"}}
    approval = Approval.model_validate(
        {
            "metadata": {"name": "a"},
            "spec": {
                "target": {"kind": "IssueRun", "name": "web-7-1", "uid": "u"},
                "repositoryRef": {"name": "web"},
                "gate": "Plan",
                "subject": {"digest": DIGEST, "repository": "acme/web", "policyDigest": DIGEST},
                "policy": {"quorum": 1, "onExpiry": "Hold", "validFor": "72h"},
                "expireTime": "2026-11-22T10:00:00Z",
                "risk": "Low",
                "requester": {},
                "review": {},
                "decisions": decision,
            },
        }
    )
    assert approval.dump()["spec"]["decisions"] == decision
    assert approval.dump()["spec"]["requester"] == {}  # required, so written though empty


def test_a_rollback_point_has_no_status() -> None:
    point = RollbackPoint.model_validate(
        {
            "metadata": {"name": "web-4"},
            "spec": {
                "repositoryRef": {"name": "web"},
                "baseBranch": "main",
                "merge": {"method": "Unknown", "sha": SHA},
            },
        }
    )
    assert "status" not in point.dump()


def test_the_failure_classes_are_those_of_the_errors() -> None:
    assert {cls.failure_class for cls in _subclasses(OrchError)} <= {value.value for value in FailureClass}


def _subclasses(cls: type[OrchError]) -> set[type[OrchError]]:
    return {cls}.union(*(_subclasses(child) for child in cls.__subclasses__()))


def test_the_words_of_work_steps_are_those_of_the_resources() -> None:
    assert [value.value for value in AnalysisType] == [value.value for value in IssueType]
    assert [value.value for value in StepStage] == [value.value for value in ModelStage]


def test_conditions_keep_their_words() -> None:
    assert [status.value for status in ConditionStatus] == ["True", "False", "Unknown"]


def test_each_kind_has_its_names() -> None:
    assert [(kind.KIND, kind.PLURAL, kind.SHORT) for kind in KINDS] == [
        ("OrchestratedRepo", "orchestratedrepos", "orepo"),
        ("IssueRun", "issueruns", "irun"),
        ("Approval", "approvals", "appr"),
        ("RollbackPoint", "rollbackpoints", "rbp"),
    ]


def test_a_copy_has_a_status_of_its_own_and_shares_what_nobody_may_change() -> None:
    repo = a_repo()
    copied = repo.deep_copy()
    copied.status.observed_generation = 7
    copied.metadata.labels["new"] = "yes"
    assert repo.status.observed_generation == -1
    assert repo.metadata.labels == {}
    assert copied.spec is repo.spec
    with pytest.raises(ValidationError, match="frozen"):
        repo.spec.suspend = True  # type: ignore[misc]
