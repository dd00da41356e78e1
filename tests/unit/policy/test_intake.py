"""Which issues start a run, and who started it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orch.api.v1alpha1 import MinimumPermission, Selector, TrustSpec
from orch.policy.intake import find_trigger, is_trusted, refusal
from orch.ports import LabelEvent, Permission

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def event(actor: str, label: str, minute: int, *, added: bool = True) -> LabelEvent:
    return LabelEvent(f"{actor}{minute}", actor, label, added, T0 + timedelta(minutes=minute))


@pytest.mark.parametrize(
    ("labels", "selector", "taken"),
    [
        ({"orch"}, Selector(), True),
        ({"ORCH"}, Selector(), True),
        ({"bug"}, Selector(), False),
        (set(), Selector(), False),
        ({"orch", "wontfix"}, Selector(), False),
        ({"orch", "WontFix"}, Selector(), False),
        ({"orch"}, Selector(all_of=["ready"]), False),
        ({"orch", "ready"}, Selector(all_of=["ready"]), True),
        ({"b"}, Selector(any_of=["a", "b"]), True),
        ({"orch"}, Selector(any_of=[]), False),
        ({"blocked", "orch"}, Selector(none_of=[]), True),
    ],
)
def test_selector(labels: set[str], selector: Selector, taken: bool) -> None:
    assert (refusal(labels, selector) is None) is taken


@pytest.mark.parametrize(
    ("events", "labels", "actor"),
    [
        pytest.param([event("alice", "orch", 1)], {"orch"}, "alice", id="who labelled"),
        pytest.param([event("alice", "bug", 1)], {"bug"}, None, id="another label"),
        pytest.param([event("alice", "orch", 1)], set(), None, id="it is off now"),
        pytest.param(
            [event("eve", "orch", 1), event("eve", "orch", 2, added=False), event("alice", "orch", 3)],
            {"orch"},
            "alice",
            id="labelled again",
        ),
        pytest.param([event("alice", "orch", 3), event("eve", "orch", 1)], {"orch"}, "alice", id="any order"),
        pytest.param(
            [event("alice", "orch", 1), event("alice", "orch", 2, added=False)], {"orch"}, None, id="events lag behind"
        ),
        pytest.param([event("eve", "Orch", 1)], {"orch"}, "eve", id="case"),
        pytest.param([], {"orch"}, None, id="set by the issue form: no event seen"),
    ],
)
def test_trigger(events: list[LabelEvent], labels: set[str], actor: str | None) -> None:
    found = find_trigger(events, labels, Selector())
    assert (found.actor if found else None) == actor


@pytest.mark.parametrize(
    ("actor", "permission", "trusted"),
    [
        ("alice", Permission.WRITE, True),
        ("alice", Permission.ADMIN, True),
        ("alice", Permission.TRIAGE, False),
        ("eve", Permission.NONE, False),
        ("acme-triage[bot]", Permission.NONE, True),
        ("Acme-Triage[bot]", Permission.NONE, True),
        ("acme-triage", Permission.NONE, False),
        ("evil[bot]", Permission.NONE, False),
    ],
)
def test_trust(actor: str, permission: Permission, trusted: bool) -> None:
    trust = TrustSpec(minimum_permission=MinimumPermission.WRITE, allowed_actors=["acme-triage[bot]"])
    assert is_trusted(actor, permission, trust) is trusted


def test_our_own_labels_ask_for_no_run() -> None:
    selector = Selector(any_of=["orch", "orch/declined", "Orch/Waiting"])
    events = [event("orch-bot", "orch/declined", 1), event("orch-bot", "orch/waiting", 2)]
    assert find_trigger(events, {"Orch/declined", "orch/waiting"}, selector) is None
