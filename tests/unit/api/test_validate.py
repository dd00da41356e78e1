"""What `validate` says to a person. That its verdicts are the server's is tested beside the server."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.api.v1alpha1 import OrchestratedRepoSpec
from orch.api.validate import validate


def a_document(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "orch.dev/v1alpha1",
        "kind": "OrchestratedRepo",
        "metadata": {"name": "web"},
        "spec": {"repository": "acme/web", "credentialsRef": {"name": "acme-github"}, **spec},
    }


def said(document: Any) -> list[str]:
    return [str(problem) for problem in validate(document)]


def test_a_good_document() -> None:
    assert said(a_document()) == []


def test_the_document_is_left_as_it_was() -> None:
    document = a_document(issues=None)
    validate(document)
    assert document == a_document(issues=None)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"mode": "auto"}, "spec.mode: must be one of Manual, Supervised, Autonomous, not 'auto'"),
        ({"baseBranch": 1}, "spec.baseBranch: must be of type string, not integer"),
        ({"credentialsRef": {}}, "spec.credentialsRef.name: is required"),
        ({"concurrency": {"maxActiveRuns": 0}}, "spec.concurrency.maxActiveRuns: must be at least 1"),
        ({"concurrency": {"maxActiveRuns": 101}}, "spec.concurrency.maxActiveRuns: must be at most 100"),
        ({"guards": {"protectedPath": []}}, "spec.guards.protectedPath: unknown field: did you mean protectedPaths?"),
        ({"zzz": 1}, "spec.zzz: unknown field"),
        ({"interval": "5s"}, "spec.interval: must be at least 10s"),
        (
            {"issues": {"selector": {"anyOf": ["a", "a"]}}},
            "spec.issues.selector.anyOf[1]: 'a' is in the list twice",
        ),
        (
            {"budget": {"perRunUSD": "five"}},
            r"spec.budget.perRunUSD: 'five' does not match ^[0-9]{1,7}(\.[0-9]{1,6})?$",
        ),
    ],
    ids=str,
)
def test_what_a_person_reads(spec: dict[str, Any], expected: str) -> None:
    assert said(a_document(**spec)) == [expected]


def test_all_problems_are_told_at_once() -> None:
    assert len(said(a_document(mode="x", interval=1, zzz=2))) == 3


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (None, "must be a mapping with apiVersion, kind, metadata and spec"),
        ([], "must be a mapping with apiVersion, kind, metadata and spec"),
        ({}, "no apiVersion without kind is no kind of orch"),
        ({"apiVersion": "v1", "kind": "Secret"}, "v1 Secret is no kind of orch"),
        ({"apiVersion": "orch.dev/v1alpha1", "kind": "IssueRun"}, "metadata: is required"),
        ({"apiVersion": ["x"], "kind": {}}, "['x'] {} is no kind of orch"),
        (
            {"apiVersion": "orch.dev/v1alpha1", "kind": "IssueRun", "metadata": 1, "spec": 2},
            "metadata: must be of type object",
        ),
    ],
    ids=str,
)
def test_what_is_no_document_of_ours(document: Any, expected: str) -> None:
    assert said(document)[0].startswith(expected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4),
    max_leaves=12,
)
SECTIONS = sorted(OrchestratedRepoSpec.model_json_schema()["properties"])


@given(st.dictionaries(st.sampled_from(SECTIONS), JSON), JSON)
def test_whatever_is_in_a_document_gets_an_answer(spec: dict[str, Any], metadata: Any) -> None:
    for problem in validate({**a_document(**spec), "metadata": metadata}):
        assert problem.message
