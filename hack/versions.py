"""Which Kubernetes and etcd the control plane is, and which other ones will do.

Asked by `binaries` and `releases`. The numbers stand once, in `controlplane/go.mod`. Never builds or downloads.
"""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

GO_MODULE = Path(__file__).resolve().parent / "controlplane"
TOOLS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
OLDEST_KUBERNETES = (1, 32)
"""`selectableFields` of our CRDs are stable since 1.32 (KEP-4358)."""
OLDEST_ETCD = (3, 5)
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.\d+)?")


class SetupError(Exception):
    """Set-up cannot go on. The text is one line: what is wrong and what to install or do."""


class Version(NamedTuple):
    """Major and minor; patch releases do not matter to whether programs fit together."""

    major: int
    minor: int


def required(module: str) -> str:
    """The version that our go.mod requires of a Go module, such as `v1.36.4`. Raises SetupError if it names none."""
    found = re.search(rf"^\s*{re.escape(module)} (v[\w.+-]+)", (GO_MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise SetupError(f"{GO_MODULE}/go.mod requires no {module}: restore the file from git")
    return found[1]


def kubernetes() -> str:
    """The pinned Kubernetes release, `v1.36.4`."""
    return required("k8s.io/kubernetes")


def etcd() -> str:
    """The pinned etcd release, `v3.6.8`."""
    return required("go.etcd.io/etcd/server/v3")


def parse(text: str) -> Version | None:
    """The first version number in what a program prints about itself."""
    found = _VERSION.search(text)
    return Version(int(found[1]), int(found[2])) if found else None


def find_version(program: Path) -> Version | None:
    """What `program` says its version is; None when it cannot be run or does not say."""
    argument = ["version", "--client"] if program.name == "kubectl" else ["--version"]
    try:
        said = subprocess.run([program, *argument], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return parse(said.stdout) if said.returncode == 0 else None


def misfit(found: dict[str, Version | None]) -> str | None:
    """Why programs of these versions cannot be one control plane, None if they can.

    Kubernetes' version skew policy: a controller manager is not newer than its API server (we ask for the same
    minor), kubectl is within one minor of it.
    """
    unknown = [tool for tool in TOOLS if found.get(tool) is None]
    if unknown:
        return f"{', '.join(unknown)} missing or not runnable"
    versions = {tool: version for tool, version in found.items() if version}
    server, store = versions["kube-apiserver"], versions["etcd"]
    if server < OLDEST_KUBERNETES:
        return f"kube-apiserver {server.major}.{server.minor} is older than 1.{OLDEST_KUBERNETES[1]}"
    if store < OLDEST_ETCD:
        return f"etcd {store.major}.{store.minor} is older than 3.{OLDEST_ETCD[1]}"
    if versions["kube-controller-manager"] != server:
        return "kube-controller-manager and kube-apiserver are not of the same minor version"
    if versions["kubectl"].major != server.major or abs(versions["kubectl"].minor - server.minor) > 1:
        return "kubectl is more than one minor version away from kube-apiserver"
    return None
