"""What cannot work says so: a condition with the reason and the next step, on that repository alone."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hack.projects import TOKENS
from hack.world import HOST
from tests.e2e.desk import BOT, Desk
from tests.e2e.lots import Lot, make


@pytest.fixture(scope="module")
def lot(open_desk: Callable[..., Desk], tmp_path_factory: pytest.TempPathFactory) -> Lot:
    """Two repositories that work, and an empty one beside them."""
    load = make(tmp_path_factory.mktemp("credentials") / "load", repositories=2, issues=1)
    empty = {"owner": "owner", "name": "empty", "collaborators": {"orch-bot": "write"}}
    seed = {**load.seed, "repos": [*load.seed["repos"], empty]}
    return Lot(open_desk(seed, [load.script]), load, {load.repositories[0]: "works"})


def test_each_says_what_is_wrong_and_the_others_go_on(lot: Lot) -> None:
    desk, works = lot.desk, lot.load.repositories[0]
    desk.world.repository(desk.namespace, "badtoken", works, token="ghp_nobody_has_this", interval="10s")
    desk.world.repository(desk.namespace, "unknown", "owner/nowhere", token=TOKENS[BOT])
    desk.world.repository(desk.namespace, "empty", "owner/empty", token=TOKENS[BOT])
    desk.world.repository(desk.namespace, "reader", works, token=TOKENS["stranger"])
    _apply(desk, "nosecret", works, credentialsRef={"name": "nowhere"})
    _apply(desk, "nohost", works, credentialsRef={"name": "empty-github"}, host="github.example.com")
    for name, reason in {
        "badtoken": "BadCredentials",
        "unknown": "RepositoryNotFound",
        "empty": "RepositoryEmpty",
        "reader": "Forbidden",
        "nosecret": "CredentialsMissing",
        "nohost": "HostNotAllowed",
    }.items():
        ready = desk.until(
            lambda name=name: _refused(desk, name), what=lambda name=name: desk.get("orchestratedrepos", name)
        )
        assert (ready["status"], ready["reason"]) == ("False", reason), name
        assert len(ready["message"]) > 20
        assert "ghp_" not in ready["message"]
    desk.watch("works", works, **lot.load.spec)
    assert lot.take().ends()["completionTime"]


def test_a_token_that_is_put_right_is_used_without_a_restart(lot: Lot) -> None:
    desk, works = lot.desk, lot.load.repositories[1]
    desk.world.repository(desk.namespace, "rotated", works, token="ghp_too_old", mode="Manual")
    desk.until(lambda: _refused(desk, "rotated"))
    desk.world.repository(desk.namespace, "rotated", works, token=TOKENS[BOT], mode="Manual")
    desk.until(
        lambda: desk.condition("orchestratedrepos", "rotated", "Ready").get("status") == "True",
        poke=("orchestratedrepos", "rotated"),
    )
    assert desk.condition("orchestratedrepos", "rotated", "CredentialsReady")["status"] == "True"


def test_a_wrong_token_is_tried_ever_more_seldom(lot: Lot) -> None:
    """Of the first test's repository, meanwhile: three tries, and none but those that were due."""
    path = f"/repos/{lot.load.repositories[0]}"

    def tries() -> list[float]:
        refused = [entry for entry in lot.desk.journal(path=f"{path}$") if entry["status"] == 401]
        return [datetime.fromisoformat(entry["time"]).timestamp() for entry in refused]

    first, second, third = lot.desk.until(lambda: tries() if len(tries()) >= 3 else None)[:3]
    assert 7 < second - first < third - second


def _refused(desk: Desk, name: str) -> dict[str, Any] | None:
    ready = desk.condition("orchestratedrepos", name, "Ready")
    return ready if ready.get("status") == "False" else None


def _apply(desk: Desk, name: str, repository: str, **spec: Any) -> None:
    meta = {"name": name, "namespace": desk.namespace}
    body = {"repository": repository, "host": HOST, **spec}
    desk.world.server.apply(
        {"apiVersion": "orch.dev/v1alpha1", "kind": "OrchestratedRepo", "metadata": meta, "spec": body}
    )
