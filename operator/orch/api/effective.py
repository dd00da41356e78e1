"""What a repository's policy amounts to: the mode's presets under the settings of its spec.

Called by policy, stages and reconcilers; pure, it reads no object but the spec that it is given.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from orch.api.v1alpha1.orchestratedrepo import OrchestratedRepoSpec
from orch.api.v1alpha1.vocabulary import Gate, Mode, When

PRESETS: Final[dict[Mode, dict[Gate, When]]] = {
    Mode.MANUAL: {Gate.PLAN: When.BY_RISK, Gate.PUBLISH: When.BY_RISK, Gate.MERGE: When.ALWAYS},
    Mode.SUPERVISED: {Gate.PLAN: When.BY_RISK, Gate.PUBLISH: When.BY_RISK, Gate.MERGE: When.ALWAYS},
    Mode.AUTONOMOUS: {Gate.PLAN: When.NEVER, Gate.PUBLISH: When.BY_RISK, Gate.MERGE: When.BY_RISK},
}
"""When a gate asks in each mode, unless `spec.approvals.gates` says otherwise."""


def gate_setting(spec: OrchestratedRepoSpec, gate: Gate) -> When:
    """When this gate asks: what the spec says of it, else the mode's preset."""
    own = next((entry.when for entry in spec.approvals.gates if entry.gate is gate), None)
    return own or PRESETS[spec.mode][gate]


def policy_digest(spec: OrchestratedRepoSpec) -> str:
    """`sha256:…` over the settings that an approval rests on. Equal policy, equal digest, however it is written.

    `interval`, `concurrency`, `pipeline`, `model` and `suspend` are not among them: they supersede no approval.
    """
    policy = {
        "mode": spec.mode.value,
        "gates": {gate.value: gate_setting(spec, gate).value for gate in Gate},
        "trust": _canonical(spec.issues.trust.dump()),
        "guards": _canonical(spec.guards.dump()),
        "budget": _canonical(spec.budget.dump()),
        "approvals": _canonical(spec.approvals.dump()),
        "publish": _canonical(spec.publish.dump()),
        "merge": _canonical(spec.merge.dump()),
    }
    text = json.dumps(policy, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _canonical(section: dict[str, object]) -> dict[str, object]:
    """Lists are sets or maps in these sections: their order says nothing. `gates` is compared as resolved."""
    return {key: _in_order(value) for key, value in section.items() if key != "gates"}


def _in_order(value: object) -> object:
    if isinstance(value, list):
        return sorted(map(_in_order, value), key=lambda item: json.dumps(item, sort_keys=True))
    return {key: _in_order(item) for key, item in value.items()} if isinstance(value, dict) else value
