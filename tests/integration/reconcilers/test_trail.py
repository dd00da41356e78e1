"""What the audit log tells of a repository: what the operator goes by from when on, each turn once."""

from datetime import timedelta

from tests.integration.reconcilers.conftest import Desk


async def test_pause_resumption_and_another_policy_are_told_once(desk: Desk, namespace: str) -> None:
    desk.apply(namespace, "demo")
    await desk.look(namespace, "demo")
    assert _told(desk) == ["policy_changed"]
    desk.apply(namespace, "demo", suspend=True, mode="Manual")
    for _ in range(3):
        desk.start()
        await desk.look(namespace, "demo", later=timedelta(hours=1))
    desk.apply(namespace, "demo", suspend=False, mode="Manual")
    await desk.look(namespace, "demo")
    assert _told(desk) == ["policy_changed", "policy_changed", "repository_paused", "repository_resumed"]
    first, second = (fields for event, fields in desk.said if event == "policy_changed")
    assert (first["mode"], second["mode"], second["was"]) == ("Autonomous", "Manual", first["digest"])
    assert "who" not in second, "the object does not say who changed it"


def _told(desk: Desk) -> list[str]:
    return [event for event, fields in desk.said if "repo" in fields]
