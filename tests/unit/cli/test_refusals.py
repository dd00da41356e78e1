"""What the API server refuses, in the words of the person who typed the verb: what it was, and what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orch.cli.connection import failure
from orch.kube.errors import KubeError, Request, refused, unreachable

ASKED = Request("list", "issueruns.orch.dev", namespace="team-a")
PATCHED = Request("patch", "approvals.orch.dev", namespace="team-a", name="web-7-1")
POLICY = "admission webhook or policy 'approvals.orch.dev' with binding 'x' denied request: decide as yourself"


def answer(status: int, message: str = "", request: Request = ASKED, **more: Any) -> KubeError:
    return refused(request, status, json.dumps({"kind": "Status", "message": message, **more}).encode())


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        pytest.param(
            answer(404, "the server could not find the requested resource", details={}),
            *(2, "the cluster does not serve issueruns.orch.dev: it lacks orch's CRDs; kubectl apply"),
            id="no CRDs",
        ),
        pytest.param(
            answer(403, "forbidden"),
            *(2, "you may not list issueruns.orch.dev in namespace 'team-a': ask for a role with that verb"),
            id="no rights: which verb on what",
        ),
        pytest.param(answer(401, "Unauthorized"), 2, "the cluster does not know you: log in anew", id="nobody"),
        pytest.param(
            unreachable(ASKED, ConnectionRefusedError()),
            *(2, "no answer from the API server (ConnectionRefusedError): is the cluster up? Check --kubeconfig"),
            id="no cluster",
        ),
        pytest.param(answer(500, "etcd is full"), 2, "the API server is not well: etcd is full; try again", id="ill"),
        pytest.param(
            answer(403, POLICY, PATCHED),
            *(1, 'approvals.orch.dev "web-7-1" in namespace "team-a" is refused: decide as yourself'),
            id="a policy, in its own words alone",
        ),
        pytest.param(
            answer(409, "the object has been modified", PATCHED),
            1,
            "was changed by somebody at the same moment",
            id="late",
        ),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_do(error: KubeError, code: int, said: str) -> None:
    told = failure(error)
    assert told.code == code
    assert said in str(told)
    assert "\n" not in str(told)
