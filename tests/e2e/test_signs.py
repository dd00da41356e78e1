"""What is going on shows on the pull request and on the issue, and a branch rule may require orch's word."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.desk import BOT, Desk, Run, together
from tests.e2e.lots import Lot, make

_REQUIRED, _PLAIN, _SILENT, _SIGNED = 1, 2, 3, 4
_APP = {
    "login": BOT,
    "value": "ghs_without_statuses",
    "kind": "app",
    "permissions": {"contents": "write", "issues": "write", "pull_requests": "write", "checks": "read"}
    | {"statuses": "read", "metadata": "read", "actions": "read"},
}


@pytest.fixture(scope="module")
def lot(open_desk: Callable[..., Desk], tmp_path_factory: pytest.TempPathFactory) -> Lot:
    """A repository whose base branch requires the status `orch`, one that does not, one whose token may not write statuses, and
    one that takes signed commits only."""
    load = make(tmp_path_factory.mktemp("signs") / "load", repositories=4, issues=3)
    load.seed["repos"][_REQUIRED - 1]["rules"] = [{"branch": "main", "required_checks": ["orch", "tests"]}]
    load.seed["repos"][_SIGNED - 1]["rules"] = [{"branch": "main", "signatures": True}]
    key = _key(tmp_path_factory.mktemp("key"))
    bot = next(account for account in load.seed["accounts"] if account["login"] == BOT)
    bot["ssh_signing_keys"] = [key.with_suffix(".pub").read_text().strip()]
    desk = open_desk(load.seed, [load.script])
    required, plain, silent, signed = load.repositories
    supervised = {**load.spec, "mode": "Supervised"}
    desk.watch("required", required, **supervised)
    desk.watch("plain", plain, **load.spec)
    desk.control("POST", "/tokens", **_APP)
    desk.world.repository(desk.namespace, "silent", silent, token=str(_APP["value"]), interval="10s", **load.spec)
    desk.world.kubectl(
        "create", "secret", "generic", "signing", "-n", desk.namespace, f"--from-file=ssh-privatekey={key}"
    )
    publish = {"commit": {"signingSecretRef": {"name": "signing"}}}
    merge = {**load.spec["merge"], "method": "Merge"}
    desk.watch("signed", signed, **{**load.spec, "publish": publish, "merge": merge})
    return Lot(desk, load, {required: "required", plain: "plain", silent: "silent", signed: "signed"})


def test_how_a_run_stands_shows(lot: Lot) -> None:
    desk = lot.desk
    fit = desk.condition("orchestratedrepos", "required", "RulesFit")
    assert (fit["status"], fit["reason"]) == ("True", "Fits")
    assert "orch's own status" in fit["message"]

    def required() -> None:
        run = lot.take(_REQUIRED)
        asked = run.approval("Merge")
        desk.until(lambda: "orch/waiting" in run.labels())
        desk.until(lambda: _texts(run)[-1] == ("pending", "waits for an approval: kubectl orch inbox"))
        assert run.merges() == []
        desk.decide(asked, "Approve")
        _merged(run)
        assert [state for state, _ in _texts(run)] == ["pending", "pending", "success"]
        (merge,) = run.merges()
        head = run.pulls()[0]["head"]["sha"]
        said = desk.journal(method="POST", path=f"/statuses/{head}$")
        assert merge["seq"] > said[-1]["seq"], "the rule was met before the merge"
        assert run.labels() == {"orch"}

    def declined() -> None:
        run = lot.take(_REQUIRED)
        desk.decide(run.approval("Merge"), "Deny")
        assert run.ends()["failure"]["reason"] == "Denied"
        assert _texts(run)[-1] == ("failure", "ended without a merge: Denied")
        assert run.labels() == {"orch", "orch/declined"}
        desk.looked("orchestratedrepos", "required")
        assert len(desk.list("issueruns", issue=str(run.number), repo="required")) == 1, "our labels ask for no run"

    def plain() -> None:
        run = lot.take(_PLAIN)
        _merged(run)
        assert _texts(run) == [
            ("pending", "waits for checks"),
            ("success", "nothing of orch's own stands in the way of a merge"),
        ]

    def silent() -> None:
        run = lot.take(_SILENT)
        _merged(run)
        shown = run.condition("StatusShown")
        assert (shown["status"], shown["reason"]) == ("False", "StatusRefused")
        assert "Commit statuses (write)" in shown["message"]
        assert run.statuses() == []

    def signed() -> None:
        run = lot.take(_SIGNED)
        _merged(run)
        assert desk.condition("orchestratedrepos", "signed", "RulesFit")["status"] == "True"

    together(required, declined, plain, silent, signed)


def _key(folder: Path) -> Path:
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    return path


def _texts(run: Run) -> list[tuple[str, str]]:
    return [(entry["state"], entry["description"]) for entry in run.statuses()]


def _merged(run: Run) -> None:
    run.ends()
    assert run.condition("Succeeded")["reason"] == "Merged", run.status
