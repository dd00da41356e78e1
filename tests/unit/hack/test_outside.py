"""What of a person's shell leads out of this machine, and what stays here."""

from __future__ import annotations

from urllib.request import proxy_bypass_environment

import pytest
from hack.world.outside import around_loopback, way_out

SHELL = {
    "HTTPS_PROXY": "http://proxy.company:3128",
    "http_proxy": "http://proxy.company:3128",
    "SSL_CERT_FILE": "/etc/company.pem",
    "GITHUB_TOKEN": "ghp_x",
    "PYTHONPATH": "/tmp",
    "https_proxy": "",
}


def test_only_what_leads_out_is_passed_on() -> None:
    names = {"HTTPS_PROXY", "http_proxy", "SSL_CERT_FILE", "NO_PROXY", "no_proxy"}
    assert way_out(SHELL).keys() == names
    assert way_out({}).keys() == {"NO_PROXY", "no_proxy"}


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize(
    ("asked", "around"),
    [
        pytest.param("", ["127.0.0.1", "localhost"], id="nothing"),
        pytest.param("git.company", ["127.0.0.1", "localhost", "git.company"], id="a name"),
        pytest.param("*", ["127.0.0.1", "git.company", "github.com"], id="everything"),
    ],
)
def test_a_proxy_is_never_asked_for_this_machine(name: str, asked: str, around: list[str]) -> None:
    found = around_loopback({**SHELL, name: asked})
    for value in found.values():
        reached = {"https": "http://proxy.company:3128", "no": value}
        assert all(proxy_bypass_environment(host, reached) for host in around)
        assert bool(proxy_bypass_environment("github.com", reached)) is (asked == "*")
