"""The pure parts of the mirror: what is parsed, folded, translated."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch import errors
from orch.mirror import refusals
from orch.mirror.collisions import fold
from orch.mirror.confinement import MAX_MEMORY, confined
from orch.mirror.environment import checked_url, inherited, is_loopback, scrubbed, settings
from orch.mirror.git import Ended
from orch.mirror.protocol import Request, decode_answer, encode_answer, encode_error
from orch.mirror.raw import parse


def test_a_request_comes_back_as_it_was() -> None:
    request = Request("push", Path("/data"), "k", "https://x/y", {"sha": "ü", "n": 1}, "tok\nen", "k3y")
    line = request.encode()
    assert Request.decode(line) == request
    assert line.count(b"\n") == 1, "a line is a line whatever is in it"
    assert "tok" not in repr(request)
    assert "k3y" not in repr(request)


def test_answers_and_errors_come_back() -> None:
    assert decode_answer(encode_answer({"a": ["\udcff"]})) == {"a": ["\udcff"]}
    with pytest.raises(errors.HeadMoved, match="it moved"):
        decode_answer(encode_error(errors.HeadMoved("HeadMoved", "it moved"), secret=None))


def test_a_token_in_an_error_is_removed() -> None:
    answer = encode_error(errors.Transient("GitFailed", "https://x:s3cret@h failed"), secret="s3cret")
    assert b"s3cret" not in answer
    assert json.loads(answer)["error"]["message"] == "https://x:«removed»@h failed"


@pytest.mark.parametrize(
    ("stderr", "error", "reason"),
    [
        ("fatal: couldn't find remote ref refs/heads/x", errors.NotFound, "BranchNotFound"),
        ("fatal: Authentication failed for 'https://h/a/b.git/'", errors.CredentialsRefused, "BadCredentials"),
        (
            "fatal: could not read Username for 'https://h': terminal prompts disabled",
            errors.CredentialsRefused,
            "CredentialsMissing",
        ),
        (
            "remote: Repository not found.\nfatal: repository 'https://h/a/b.git/' not found",
            errors.NotFound,
            "RepositoryNotFound",
        ),
        (
            "remote: Write access to repository not granted.\n"
            "fatal: unable to access 'https://h/a/b/': The requested URL returned error: 403",
            errors.CredentialsRefused,
            "Forbidden",
        ),
        (
            "fatal: unable to access 'https://h/': The requested URL returned error: 503",
            errors.Transient,
            "RemoteFailed",
        ),
        (
            "fatal: unable to access 'https://h/': Could not resolve host: h",
            errors.Transient,
            "RemoteUnreachable",
        ),
        (
            "fatal: unable to access 'https://h/': SSL certificate problem: unable to get local issuer certificate",
            errors.Transient,
            "RemoteUnreachable",
        ),
        (
            "fatal: unable to update url base from redirection:\n  redirect: https://e/",
            errors.CredentialsRefused,
            "RemoteRedirects",
        ),
    ],
)
def test_reads(stderr: str, error: type[errors.OrchError], reason: str) -> None:
    found = refusals.of_read(stderr, has_token=False)
    assert type(found) is error
    assert found.reason == reason
    assert "https://" not in found.message


def test_a_failure_of_our_own_is_no_refusal() -> None:
    assert refusals.of_read("fatal: loose object is corrupt", has_token=True) is None


@pytest.mark.parametrize(
    ("status", "stderr", "error", "reason"),
    [
        ("[rejected] (stale info)", "", errors.HeadMoved, "HeadMoved"),
        ("[rejected] (fetch first)", "", errors.HeadMoved, "HeadMoved"),
        (
            "[remote rejected] (cannot lock ref 'refs/heads/b': is at 1 but expected 2)",
            "",
            errors.HeadMoved,
            "HeadMoved",
        ),
        (
            "[remote rejected] (refusing to allow a Personal Access Token to create or update workflow "
            "`.github/workflows/ci.yml` without `workflow` scope)",
            "",
            errors.NeedsHuman,
            "WorkflowsPermission",
        ),
        (
            "[remote rejected] (push declined due to repository rule violations)",
            "remote: error: GH013: Repository rule violations found for refs/heads/b.\nremote:\nremote: - Commits must be signed",
            errors.NeedsHuman,
            "PushDeclined",
        ),
        ("[remote rejected] (protected branch hook declined)", "", errors.NeedsHuman, "PushDeclined"),
    ],
)
def test_refused_pushes(status: str, stderr: str, error: type[errors.OrchError], reason: str) -> None:
    porcelain = f"To https://h/a/b.git\n!\t1111:refs/heads/b\t{status}\nDone\n"
    found = refusals.of_push(Ended(1, porcelain.encode(), stderr), "b")
    assert type(found) is error
    assert found.reason == reason


@pytest.mark.parametrize(
    ("stderr", "error"),
    [
        ("error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502", errors.Ambiguous),
        ("send-pack: unexpected disconnect while reading sideband packet", errors.Ambiguous),
        ("fatal: the remote end hung up unexpectedly", errors.Ambiguous),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 502", errors.Transient),
        ("fatal: unable to access 'https://h/': Failed to connect to h port 443", errors.Transient),
        ("something never seen", errors.Transient),
    ],
)
def test_broken_pushes(stderr: str, error: type[errors.OrchError]) -> None:
    assert type(refusals.of_push(Ended(128, b"", stderr), "b")) is error


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("README.md", "readme.MD"),
        ("é", "e\u0301"),
        ("STRASSE", "straße"),
        ("a\u200cb", "ab"),
        ("Ünï", "ÜNÏ"),
        ("\u212a", "k"),
    ],
)
def test_names_that_fold_together(one: str, other: str) -> None:
    assert fold(one.encode()) == fold(other.encode())


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a/b", "a-b"), ("é", "e")])
def test_names_that_do_not(one: str, other: str) -> None:
    assert fold(one.encode()) != fold(other.encode())


@given(st.binary(max_size=40))
def test_folding_twice_is_folding_once(path: bytes) -> None:
    once = fold(path)
    assert fold(once.encode(errors="surrogateescape")) == once


def test_raw_records() -> None:
    raw = b":100644 120000 " + b"a" * 40 + b" " + b"b" * 40 + b" T\0a b\n\xff\0"
    (record,) = parse(raw)
    assert (record.path, record.status, record.old_mode, record.new_mode) == (b"a b\n\xff", "T", "100644", "120000")
    assert parse(b"") == []


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:80/a", True),
        ("http://localhost/a", True),
        ("http://[::1]:80/a", True),
        ("https://127.0.0.1/a", False),
        ("http://10.0.0.1/a", False),
        ("http://127.0.0.1.evil.example/a", False),
        ("http://localhost.evil.example/a", False),
    ],
)
def test_plain_http_is_for_this_machine(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


@pytest.mark.parametrize("url", ["", "x", "git://h/a", "https:///a", "https://u@h/a", "https://h/a\nb", "http://h/a"])
def test_urls_that_git_never_sees(url: str) -> None:
    with pytest.raises(errors.PolicyDenied):
        checked_url(url)


def test_nothing_of_the_machine_reaches_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "GITHUB_TOKEN",
        "KUBECONFIG",
        "GIT_DIR",
        "GIT_SSH_COMMAND",
        "LD_PRELOAD",
        "PYTHONPATH",
        "GIT_CONFIG_COUNT",
    ):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("NO_PROXY", "internal")
    assert not {"GITHUB_TOKEN", "KUBECONFIG", "GIT_DIR", "LD_PRELOAD", "PYTHONPATH"} & {*scrubbed(), *inherited()}
    assert scrubbed()["GIT_CONFIG_GLOBAL"] == "/dev/null"
    assert scrubbed()["NO_PROXY"] == "internal,127.0.0.1,localhost,::1"
    monkeypatch.setenv("NO_PROXY", "*")
    assert scrubbed()["no_proxy"] == scrubbed()["NO_PROXY"] == "*", (
        "curl takes it for everything only if it stands alone"
    )
    assert "protocol.allow=never" in settings(plain_http=False)
    assert "protocol.http.allow=always" not in settings(plain_http=False)


def test_a_git_is_confined_and_what_comes_after_it_is_not() -> None:
    asked = "import resource as r; print(r.getrlimit(r.RLIMIT_FSIZE)[0], r.getrlimit(r.RLIMIT_AS)[0])"
    before = [resource.getrlimit(what) for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_AS)]
    with confined(1_000_000):
        done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(8_000_000), str(MAX_MEMORY)]
    assert [resource.getrlimit(what) for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_AS)] == before
