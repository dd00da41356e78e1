"""Fetches the official release of etcd and Kubernetes, each file checked against the SHA-256 published with it.

Called by `binaries` for a cache that is empty. Raises ReleaseError for whatever goes wrong, so that the caller can
build instead; never leaves a file that was not checked.
"""

import hashlib
import http.client
import platform
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, cast

from hack import versions

KUBERNETES_URL = "https://dl.k8s.io/release"
ETCD_URL = "https://github.com/etcd-io/etcd/releases/download"
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_TIMEOUT = 5.0
"""Seconds for a connection, and between two pieces of a file."""
_CHUNK = 1 << 20


class ReleaseError(Exception):
    """The official release cannot be had, or is not what its checksum says."""


def download(into: Path, *, kubernetes_url: str = KUBERNETES_URL, etcd_url: str = ETCD_URL) -> None:
    """Put the four programs of the pinned versions into the folder `into`. Raises ReleaseError."""
    arch = _ARCHITECTURES.get(platform.machine())
    if platform.system() != "Linux" or arch is None:
        raise ReleaseError(f"no release for {platform.system()} on {platform.machine()}")
    try:
        for tool in ("kubectl", "kube-apiserver", "kube-controller-manager"):
            _kubernetes(f"{kubernetes_url}/{versions.kubernetes()}/bin/linux/{arch}/{tool}", into / tool)
        _etcd(f"{etcd_url}/{versions.etcd()}", f"etcd-{versions.etcd()}-linux-{arch}", into)
    # ValueError: a checksum that is no text; HTTPException: a server that speaks no HTTP
    except (OSError, http.client.HTTPException, tarfile.TarError, KeyError, ValueError) as err:
        plain = err.reason if type(err) is urllib.error.URLError else err  # without "<urlopen error …>"
        raise ReleaseError(f"{plain}") from err


def _kubernetes(url: str, path: Path) -> None:
    with _open(f"{url}.sha256") as reply:
        digest = reply.read(64).decode("ascii")
    _fetch(url, path, digest)
    path.chmod(0o755)


def _etcd(url: str, name: str, into: Path) -> None:
    archive = into / f"{name}.tar.gz"
    with _open(f"{url}/SHA256SUMS") as reply:
        sums = dict(line.split()[::-1] for line in reply.read(_CHUNK).decode("ascii").splitlines() if line.strip())
    _fetch(f"{url}/{archive.name}", archive, sums[archive.name])
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"{name}/etcd")
        if member is None:
            raise ReleaseError(f"{archive.name} holds no etcd")
        with member, (into / "etcd").open("wb") as out:
            shutil.copyfileobj(member, out)
    (into / "etcd").chmod(0o755)
    archive.unlink()


def _fetch(url: str, path: Path, digest: str) -> None:
    """Fetch a file whose SHA-256 is `digest`, hexadecimal; one with another is deleted."""
    hashed = hashlib.sha256()
    with _open(url) as reply, path.open("wb") as out:
        while piece := reply.read(_CHUNK):
            hashed.update(piece)
            out.write(piece)
    if hashed.hexdigest() != digest:
        path.unlink()
        raise ReleaseError(f"{url} is not what its SHA-256 says")


def _open(url: str) -> IO[bytes]:
    return cast("IO[bytes]", urllib.request.urlopen(url, timeout=_TIMEOUT))
