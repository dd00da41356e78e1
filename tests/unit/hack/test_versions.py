"""Which programs make one control plane."""

from pathlib import Path

import pytest
from hack import versions
from hack.versions import Version, misfit

_FIT = {
    "etcd": Version(3, 6),
    "kube-apiserver": Version(1, 36),
    "kube-controller-manager": Version(1, 36),
    "kubectl": Version(1, 36),
}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({}, None, id="all of one release"),
        pytest.param({"kubectl": Version(1, 35)}, None, id="kubectl one older"),
        pytest.param({"kubectl": Version(1, 37)}, None, id="kubectl one newer"),
        pytest.param({"kubectl": Version(1, 34)}, "kubectl is more than one minor", id="kubectl two older"),
        pytest.param({"kube-controller-manager": Version(1, 35)}, "not of the same minor", id="older controllers"),
        pytest.param(
            {"kube-apiserver": Version(1, 31), "kube-controller-manager": Version(1, 31)},
            "kube-apiserver 1.31 is older than 1.32",
            id="no selectable fields yet",
        ),
        pytest.param({"etcd": Version(3, 4)}, "etcd 3.4 is older than 3.5", id="an old etcd"),
        pytest.param({"kubectl": None, "etcd": None}, "etcd, kubectl missing or not runnable", id="programs missing"),
    ],
)
def test_misfit(changed: dict[str, Version | None], reason: str | None) -> None:
    found = misfit(_FIT | changed)
    assert found is None if reason is None else reason in str(found)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("Kubernetes v1.36.4", Version(1, 36), id="kube-apiserver"),
        pytest.param("etcd Version: 3.6.8\nGit SHA: 1.2", Version(3, 6), id="the first number counts"),
        pytest.param("go version go1.26.8 linux/amd64", Version(1, 26), id="go"),
        pytest.param("unknown", None, id="none"),
    ],
)
def test_parse(text: str, version: Version | None) -> None:
    assert versions.parse(text) == version


def test_a_program_that_fails_has_no_version(tmp_path: Path) -> None:
    program = tmp_path / "etcd"
    program.write_text("#!/bin/sh\necho 3.6.8; exit 1\n")
    program.chmod(0o755)
    assert versions.find_version(program) is None
    assert versions.find_version(tmp_path / "none") is None


def test_the_pinned_versions_fit_together() -> None:
    server, store = versions.parse(versions.kubernetes()), versions.parse(versions.etcd())
    assert (
        misfit({"etcd": store, "kube-apiserver": server, "kube-controller-manager": server, "kubectl": server}) is None
    )


def test_a_module_that_is_not_required_is_named() -> None:
    with pytest.raises(versions.SetupError, match=r"requires no example\.invalid/none"):
        versions.required("example.invalid/none")
