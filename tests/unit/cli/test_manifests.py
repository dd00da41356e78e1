"""`orch manifests`: what it prints is what the installation's parameters say."""

from pathlib import Path

import pytest
import yaml

from orch.api.manifests import Installation, manifests
from orch.programs import main

_SHIPPED = Path(__file__).resolve().parents[3] / "manifests"


def _printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["manifests", *arguments]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def test_without_arguments_it_prints_what_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = [doc for path in sorted(_SHIPPED.glob("*.yaml")) for doc in yaml.safe_load_all(path.read_text())]
    assert _printed(capsys) == shipped


def test_the_parameters_reach_every_object(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--namespace", "robots", "--suffix", "two", "--watch", "team-a", "--watch", "team-b"]
    wanted = manifests(Installation(namespace="robots", suffix="two", namespaces=("team-a", "team-b")))
    assert _printed(capsys, *arguments) == [document for file in wanted.values() for document in file]


def test_an_operator_of_some_namespaces_may_read_no_secret_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    def everywhere(*arguments: str) -> set[str]:
        """The resources that the operator may touch in every namespace."""
        documents = _printed(capsys, *arguments)
        bound = {doc["roleRef"]["name"] for doc in documents if doc["kind"] == "ClusterRoleBinding"}
        roles = [doc for doc in documents if doc["kind"] == "ClusterRole" and doc["metadata"]["name"] in bound]
        return {resource for role in roles for rule in role["rules"] for resource in rule["resources"]}

    assert "secrets" in everywhere()
    assert everywhere("--watch", "team-a").isdisjoint({"secrets", "configmaps", "issueruns", "approvals"})


def test_a_user_who_is_no_service_account_is_the_operator(capsys: pytest.CaptureFixture[str]) -> None:
    documents = _printed(capsys, "--user", 'oidc:"robot"')
    text = yaml.safe_dump_all(documents)
    assert "system:serviceaccount:orch-system:orch" not in text
    policies = [doc for doc in documents if doc["kind"] == "ValidatingAdmissionPolicy"]
    operators = [
        entry["expression"] for doc in policies for entry in doc["spec"]["variables"] if entry["name"] == "operator"
    ]  # type: ignore[index]
    assert set(operators) == {'variables.user == "oidc:\\"robot\\""'}


@pytest.mark.parametrize("arguments", [["--suffix", "Two"], ["--namespace", "A b"], ["--watch", "*"]])
def test_a_name_that_no_object_can_have_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["manifests", *arguments])
    assert stopped.value.code == 2
