"""`make plugin`: `kubectl orch` as one archive, and its krew manifest. Called by who publishes a release, and by a test.

The archive holds the verbs and exactly the packages of the virtual environment, so `requirements.txt` says what is in it. It
fits the Python and the platform that it was made on. Nothing is uploaded: the manifest names the address that is given,
and without one the archive is installed from where it lies (`kubectl krew install --manifest=… --archive=…`).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import platform
import sys
import tarfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_LAUNCHER = """#!/usr/bin/env python{python}
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
from {module} import main

sys.exit(main())
"""
_PROGRAMS = {"kubectl-orch": "orch.cli", "kubectl_complete-orch": "orch.cli.completion"}


def main() -> int:
    """Write `kubectl-orch-<version>-<os>-<arch>.tar.gz` and `orch.yaml` into a folder; say how to install them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "dist")
    parser.add_argument("--address", help="where the archive will be downloaded from, without its file name")
    given = parser.parse_args()
    archive = build(given.folder)
    manifest = given.folder / "orch.yaml"
    manifest.write_text(yaml.safe_dump(describe(archive, given.address), sort_keys=False, width=120))
    print(f"kubectl krew install --manifest={manifest} --archive={archive}")
    return 0


def build(folder: Path) -> Path:
    """The archive. The same environment gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"kubectl-orch-{metadata.version('orch')}-{_system()}-{_architecture()}.tar.gz"
    # a gzip header holds a name and a time: both are left out
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, 0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, content, mode in sorted(_files()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return path


def describe(archive: Path, address: str | None) -> dict[str, object]:
    """The krew manifest (krew.sigs.k8s.io, "Writing Krew plugin manifests")."""
    where = f"{address.rstrip('/')}/{archive.name}" if address else archive.resolve().as_uri()
    return {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "orch"},
        "spec": {
            "version": f"v{metadata.version('orch')}",
            "shortDescription": "Steer an operator that merges issues",
            "description": "GitHub issues become merged pull requests, under policy, budget and approval: see why a run does\n"
            "not move, what waits for you, and decide. It needs the operator in the cluster, and Python "
            f"{_python()} here.",
            "platforms": [
                {
                    "selector": {"matchLabels": {"os": _system(), "arch": _architecture()}},
                    "uri": where,
                    "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
                    "bin": "kubectl-orch",
                    "files": [{"from": "*", "to": "."}],
                }
            ],
        },
    }


def _files() -> Iterator[tuple[str, bytes, int]]:
    """Name, content and mode of everything in the archive."""
    for program, module in _PROGRAMS.items():
        yield program, _LAUNCHER.format(python=_python(), module=module).encode(), 0o755
    yield "LICENSE", (ROOT / "LICENSE").read_bytes(), 0o644
    package = ROOT / "operator" / "orch"
    for path in package.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and "testservers" not in path.parts:
            yield f"lib/orch/{path.relative_to(package)}", path.read_bytes(), 0o644
    own = metadata.distribution("orch")
    yield f"lib/orch-{own.version}.dist-info/METADATA", (own.read_text("METADATA") or "").encode(), 0o644
    for name in sorted(_needed("orch") - {"orch"}):
        yield from _installed(metadata.distribution(name))


def _installed(package: metadata.Distribution) -> Iterator[tuple[str, bytes, int]]:
    for file in package.files or ():
        place = Path(str(file.locate()))
        if ".." not in file.parts and "__pycache__" not in file.parts and place.is_file():
            yield f"lib/{file}", place.read_bytes(), 0o644


def _needed(name: str, seen: frozenset[str] = frozenset(), extra: str = "") -> frozenset[str]:
    """The distributions that this one needs to run, itself among them."""
    if name in seen:
        return seen
    seen |= {name}
    for text in metadata.requires(name) or ():
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
            for part in ("", *wanted.extras):
                seen = _needed(wanted.name.lower().replace("_", "-"), seen, part)
    return seen


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _system() -> str:
    return platform.system().lower()


def _architecture() -> str:
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
