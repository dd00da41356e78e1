"""`logs` and `transcript`: where a token may go, and how hostile words look on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orch.cli.options import Failure
from orch.cli.transcripts import _entries, _lines, _own_token, _safe
from orch.kube.client import connect
from orch.policy.text import visible


@pytest.mark.parametrize(
    ("address", "is_safe"),
    [
        pytest.param("http://127.0.0.1:8443/", True, id="this machine"),
        pytest.param("http://[::1]:8443", True, id="this machine, IPv6"),
        pytest.param("http://localhost:8443", True, id="this machine by name"),
        pytest.param("https://gateway.example.com", True, id="TLS"),
        pytest.param("http://10.0.0.7:8443", False, id="clear text on a network"),
        pytest.param("http://localhost.example.com", False, id="a name that only begins so"),
        pytest.param("http://127.0.0.1@example.com", False, id="a user name that looks like a host"),
        pytest.param("gateway:8443", False, id="no scheme"),
    ],
)
def test_a_token_goes_to_this_machine_or_over_tls(address: str, is_safe: bool) -> None:
    if is_safe:
        assert _safe(address) == address.rstrip("/")
    else:
        with pytest.raises(Failure, match="clear text"):
            _safe(address)


async def test_whom_the_cluster_knows_by_a_certificate_alone_is_told_what_to_do(tmp_path: Path) -> None:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "ann", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "ann"}}],
        "current-context": "c",
    }
    (tmp_path / "config").write_text(json.dumps(config))
    async with await connect(tmp_path / "config") as kube:
        with pytest.raises(Failure, match="--token-file"):
            await _own_token(kube)


def _shown(line: str) -> list[str]:
    return [visible(text) for entry in _entries(line.encode()) for text in _lines(entry)]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param(
            '{"kind": "check", "seconds": 1, "command": "make\\nended: Done", "exit_code": 2, "took": 0.61, "output": "a\\nb"}',
            ["     1.0s  $ make ended: Done  (exit 2 after 0.6 s)", "  | a", "  | b"],
            id="a command of two lines stays one heading",
        ),
        pytest.param(
            '{"kind": "tool", "name": "run", "input": {}, "result": "x\\n     9.0s  ended: Done", "is_error": true}',
            ["           run {}  (failed)", "  | x", "  |      9.0s  ended: Done"],
            id="output that looks like a heading stays behind its bar",
        ),
        pytest.param(
            '{"kind": "answer", "content": [{"type": "text", "text": "I\\u202e see"}, {"type": "tool_use", "name": "run"}]}',
            ["           answer", "  | I\\u202e see", '  | {"type": "tool_use", "name": "run"}'],
            id="words and calls of the model",
        ),
        pytest.param(
            "no JSON \x1b]0;title\x07", ["           unreadable", "  | no JSON \\x1b]0;title\\x07"], id="no record"
        ),
        pytest.param("[1, 2]", ["           unreadable", "  | [1, 2]"], id="JSON, but no entry"),
        pytest.param('{"kind": {"a": "\\r"}, "seconds": "x"}', ["           {'a': '\\r'}"], id="fields of other types"),
    ],
)
def test_what_a_step_wrote_cannot_pass_for_more(line: str, shown: list[str]) -> None:
    assert _shown(line) == shown
