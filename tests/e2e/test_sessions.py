"""The README shows terminal sessions: what the verbs print today, on a run like that of `hack/sessions.py`, looks the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hack.projects import DEMO, prepare, seed_for
from hack.sessions import play, shape, written
from tests.e2e.desk import Desk


def test_the_readme_shows_what_the_verbs_print(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    desk = open_desk(seed_for(DEMO, prepare(DEMO.name, tmp_path / "project")), [DEMO.script])
    desk.watch("demo", DEMO.repository, **DEMO.spec)
    run = desk.start("demo", DEMO.repository, DEMO.issue_title, DEMO.issue_body)
    played = play(desk.world, desk.namespace, run.name, DEMO.repository)
    assert shape(played) == shape(written()), "play them anew: .venv/bin/python -m hack.sessions"
    run.ends()
    assert run.condition("Succeeded")["reason"] == "Merged"
