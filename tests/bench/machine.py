"""What the figures were taken on: hardware, and versions of what they depend on."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("kopf", "kubernetes", "pydantic", "aiohttp", "PyGithub")
_MODULES: Final = Path(__file__).resolve().parents[2] / "hack" / "controlplane" / "go.mod"


def described() -> str:
    """One sentence."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    gigabytes = int(memory[1]) * 1024 / 1e9 if memory else 0
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{os.cpu_count()} cores ({cpu[1] if cpu else platform.machine()}), {gigabytes:.0f} GB, "
        f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}, {packages}, "
        f"{_api_server()}"
    )


def _api_server() -> str:
    found = re.findall(
        r"^\s*(k8s\.io/kubernetes|go\.etcd\.io/etcd/server/v3) (v\S+)", _MODULES.read_text(), re.MULTILINE
    )
    names = {"k8s.io/kubernetes": "kube-apiserver", "go.etcd.io/etcd/server/v3": "etcd"}
    return ", ".join(f"{names[module]} {number}" for module, number in found)
