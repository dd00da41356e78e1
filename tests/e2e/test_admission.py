"""The admission policies around a running operator: what the condition says, and that nothing stops for it but decisions."""

import json
from collections.abc import Callable
from pathlib import Path

from hack.projects import DEMO, prepare, seed_for
from tests.e2e.desk import Desk

_BINDING = "validatingadmissionpolicybinding"


def test_a_binding_is_deleted_and_comes_back_while_the_operator_runs(
    open_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = open_desk(seed_for(DEMO, prepare(DEMO.name, tmp_path / "project")), [DEMO.script])
    desk.watch("demo", DEMO.repository, **DEMO.spec)
    name = desk.world.installation.name("approvals.orch.dev")
    binding = json.loads(desk.world.kubectl("get", _BINDING, name, "-o", "json"))

    def shows(status: str, reason: str) -> None:
        desk.until(
            lambda: _short(desk) == (status, reason), poke=("orchestratedrepos", "demo"), what=lambda: _short(desk)
        )

    shows("True", "Enforced")
    desk.world.kubectl("delete", _BINDING, name)
    shows("False", "PolicyMissing")
    message = desk.condition("orchestratedrepos", "demo", "AdmissionEnforced")["message"]
    assert message.startswith(f"ValidatingAdmissionPolicyBinding {name} is missing: apply manifests/admission.yaml")
    assert desk.condition("orchestratedrepos", "demo", "Ready")["status"] == "True"
    warns = {**binding["spec"], "validationActions": ["Warn"]}
    head = {"apiVersion": binding["apiVersion"], "kind": binding["kind"], "metadata": {"name": name}}
    desk.world.server.apply({**head, "spec": warns})
    shows("False", "PolicyChanged")
    desk.world.server.apply({**head, "spec": binding["spec"]})
    shows("True", "Enforced")


def _short(desk: Desk) -> tuple[str, str]:
    found = desk.condition("orchestratedrepos", "demo", "AdmissionEnforced")
    return found.get("status", ""), found.get("reason", "")
