"""Each refusal of the API server has one class, and its text is stable."""

from __future__ import annotations

import json

import pytest

from orch.errors import NeedsHuman, NotFound, Terminal, Transient
from orch.kube.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    KubeError,
    KubeNotFound,
    Request,
    Unavailable,
    refused,
    unreachable,
)

ASKED = Request("update", "issueruns.orch.dev/status", "y", "x")


def a_status(code: int, reason: str, message: str = "no", **details: object) -> bytes:
    return json.dumps(
        {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    ).encode()


@pytest.mark.parametrize(
    ("code", "reason", "expected", "loop_does"),
    [
        (404, "NotFound", KubeNotFound, NotFound),
        (409, "Conflict", Conflict, Transient),
        (409, "AlreadyExists", AlreadyExists, Terminal),
        (403, "Forbidden", Forbidden, NeedsHuman),
        (401, "Unauthorized", Forbidden, NeedsHuman),
        (410, "Expired", Expired, Transient),
        (400, "BadRequest", Invalid, Terminal),
        (422, "Invalid", Invalid, Terminal),
        (429, "TooManyRequests", Unavailable, Transient),
        (500, "InternalError", Unavailable, Transient),
        (504, "Timeout", Unavailable, Transient),
    ],
)
def test_a_refusal_becomes_what_the_loop_does(
    code: int, reason: str, expected: type[KubeError], loop_does: type[Exception]
) -> None:
    error = refused(ASKED, code, a_status(code, reason, "because"))
    assert type(error) is expected
    assert isinstance(error, loop_does)
    assert error.message.startswith(f"cannot {ASKED}: because")


def test_fields_are_named_once() -> None:
    causes = [{"field": "spec.a"}, {"field": "spec.a"}, {"reason": "no field"}, {"field": "spec.b"}]
    error = refused(ASKED, 422, a_status(422, "Invalid", causes=causes))
    assert isinstance(error, Invalid)
    assert error.fields == ("spec.a", "spec.b")


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"[1]", b'"x"', b'{"message": null}', b"\xff\xfe"])
def test_a_proxy_that_answers_something_else_is_understood(body: bytes) -> None:
    error = refused(ASKED, 502, body)
    assert type(error) is Unavailable
    assert "HTTP 502" in error.message


def test_no_answer_tells_the_kind_of_failure_only() -> None:
    error = unreachable(ASKED, ConnectionRefusedError("10.0.0.1:6443 with token abc"))
    assert error.message == f"cannot {ASKED}: no answer from the API server (ConnectionRefusedError)"


def test_a_refusal_forbids_naming_the_verb() -> None:
    error = refused(ASKED, 403, a_status(403, "Forbidden"))
    assert error.message.endswith("the operator's role needs 'update' on it")
