"""Log lines are JSON with stable names, and no credential survives in them."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

import orch.api.audit
from orch.api.audit import AuditEvent
from orch.runtime import audit

GITHUB = "ghp_" + "a1B2" * 9
MODEL = "sk-ant-" + "api03-" + "x" * 30
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(audit.LEVEL_VARIABLE, raising=False)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_its_name_its_context_and_its_time() -> None:
    stream = io.StringIO()
    audit.setup_logging(stream=stream)
    with audit.about(repo="octo/app", run="app-7-1"):
        structlog.get_logger("orch.stages").info("stage.entered", stage="Plan")
    structlog.get_logger("orch.stages").debug("not.shown")
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "stage.entered",
        "stage": "Plan",
        "repo": "octo/app",
        "run": "app-7-1",
        "level": "info",
        "logger": "orch.stages",
    }


def test_an_audit_line_is_written_at_every_level() -> None:
    stream = io.StringIO()
    audit.setup_logging("error", stream=stream)
    audit.record(AuditEvent.PULL_REQUEST_OPENED, pr=7)
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["audit"], line["pr"]) == ("pull_request_opened", "audit", True, 7)


@pytest.mark.parametrize("name", ["Run.Started", "run started", "run_started", ""])
def test_an_audit_line_whose_name_is_not_registered_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="no name of an audit line"):
        audit.record(name)


def test_every_registered_name_is_told_by_somebody() -> None:
    registry = Path(orch.api.audit.__file__)
    sources = [path.read_text() for path in registry.parents[1].rglob("*.py") if path != registry]
    assert [event.name for event in AuditEvent if not any(f"AuditEvent.{event.name}" in text for text in sources)] == []


def test_registered_names_are_of_one_form_and_explained() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", event.value) and event.meaning for event in AuditEvent)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(GITHUB, id="classic token"),
        pytest.param("github_pat_" + "11AAAA_" + "b" * 40, id="fine-grained token"),
        pytest.param("ghs_" + "c" * 36, id="installation token"),
        pytest.param(MODEL, id="model key"),
        pytest.param(JWT, id="service account token"),
        pytest.param("Authorization: token 0123456789abcdef", id="any token in a header"),
    ],
)
def test_no_credential_survives(secret: str) -> None:
    stream = io.StringIO()
    audit.setup_logging(stream=stream)
    log = structlog.get_logger("orch")
    log.info(f"a {secret} b")
    log.info("x.y", text=f"({secret})", nested={"deep": [secret, {"er": (secret,)}]}, error=ValueError(secret))
    logging.getLogger("some.library").warning("url %s", f"https://user:{secret}@example.com/")
    try:
        raise RuntimeError(f"refused: {secret}")
    except RuntimeError:
        log.exception("x.failed")
    text = stream.getvalue()
    assert len(text.splitlines()) == 4
    assert secret[-12:] not in text
    assert "[redacted]" in text


def test_a_password_in_a_url_is_redacted() -> None:
    entry = audit.redact(None, "", {"event": "clone of https://x-access-token:hunter2hunter2@github.com/o/r"})
    assert entry["event"] == "clone of https://x-access-token:[redacted]@github.com/o/r"


def test_what_is_no_credential_stays() -> None:
    facts = {
        "event": "a.b",
        "sha": "0123456789abcdef" * 4,
        "path": "https://host:8443/api@v1",
        "n": 3,
        "ok": True,
        "no": None,
    }
    assert audit.redact(None, "", dict(facts)) == facts


def test_the_environment_has_the_last_word_on_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setenv(audit.LEVEL_VARIABLE, "debug")
    audit.setup_logging("error", "console", stream=stream)
    structlog.get_logger("orch").debug("quite.chatty")
    assert "quite.chatty" in stream.getvalue()


@pytest.mark.parametrize(("level", "fmt"), [("loud", "json"), ("info", "xml")])
def test_a_wrong_setting_is_said(level: str, fmt: str) -> None:
    with pytest.raises(ValueError, match="unknown log"):
        audit.setup_logging(level, fmt)
