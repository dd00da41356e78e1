"""The operator's list of hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.adapters.github.hosts import Host, check_addresses, is_public, load_hosts
from orch.errors import PolicyDenied

ENTRY = """
hosts:
  git.example:
    api_url: {api}
    git_url: https://git.example/
    web_url: https://git.example
    {more}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hosts.yaml"
    path.write_text(text)
    return path


def test_without_a_file_there_is_github_alone() -> None:
    hosts = load_hosts(None)
    assert list(hosts) == ["github.com"]
    assert hosts["github.com"].api_url == "https://api.github.com"


def test_a_file_adds_hosts(tmp_path: Path) -> None:
    text = ENTRY.format(api="https://git.example/api/v3/", more="write_interval: 0.1")
    hosts = load_hosts(written(tmp_path, text))
    assert set(hosts) == {"github.com", "git.example"}
    host = hosts["git.example"]
    assert (host.api_url, host.git_url, host.write_interval) == (
        "https://git.example/api/v3",
        "https://git.example",
        0.1,
    )


def test_an_empty_file_adds_none(tmp_path: Path) -> None:
    assert list(load_hosts(written(tmp_path, ""))) == ["github.com"]


@pytest.mark.parametrize(
    ("api", "more", "text"),
    [
        pytest.param("http://git.example", "", "https address", id="plain http"),
        pytest.param("https://me:secret@git.example", "", "without user", id="a password in it"),
        pytest.param("https://git.example/?x=1", "", "without user", id="a query in it"),
        pytest.param("ftp://git.example", "", "https address", id="another protocol"),
        pytest.param("https://10.0.0.1", "", "private address", id="a private address"),
        pytest.param("https://[::1]", "", "private address", id="loopback in IPv6"),
        pytest.param("https://169.254.169.254", "", "private address", id="a cloud's metadata"),
        pytest.param("https://git.example", "ca_file: /no/such/file", "ca_file", id="no such file"),
        pytest.param("https://git.example", "write_intervall: 1", "write_intervall", id="a typo"),
        pytest.param("https://git.example", "write_interval: -1", "write_interval", id="a negative pause"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, api: str, more: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"hosts\.git\.example") as caught:
        load_hosts(written(tmp_path, ENTRY.format(api=api, more=more)))
    assert text in str(caught.value)
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize("text", ["hosts: [1]", "- a", "{", "hosts: {'a/b': {}}", "other: {}"])
def test_what_is_no_list_of_hosts(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"hosts\.yaml"):
        load_hosts(written(tmp_path, text))


def test_a_private_address_may_be_meant(tmp_path: Path) -> None:
    text = ENTRY.format(api="http://127.0.0.1:8080", more="allow_private: true")
    assert load_hosts(written(tmp_path, text))["git.example"].allow_private


def test_a_name_that_leads_home_is_refused() -> None:
    urls = {"api_url": "http://localhost:1", "git_url": "http://localhost:1", "web_url": "http://localhost:1"}
    with pytest.raises(PolicyDenied) as caught:
        check_addresses("git.example", Host(**urls))  # type: ignore[arg-type]
    assert caught.value.reason == "HostNotAllowed"
    check_addresses("git.example", Host(**urls, allow_private=True))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "public"),
    [("140.82.121.5", True), ("10.1.2.3", False), ("::ffff:127.0.0.1", False), ("fe80::1%eth0", False)],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public
