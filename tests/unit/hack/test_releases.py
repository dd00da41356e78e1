"""Nothing of a release is used that is not what its checksum says."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hack import releases, versions
from hack.versions import TOOLS


class Site:
    """A download site on loopback; `files` by path, without the leading slash."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        files = self.files

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = files.get(self.path.lstrip("/"))
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                """Tests are quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    """A site with a whole release, of programs that are their own names."""
    site = Site()
    bin_folder = f"{versions.kubernetes()}/bin/linux/amd64"
    for tool in TOOLS[1:]:
        site.files[f"{bin_folder}/{tool}"] = tool.encode()
        site.files[f"{bin_folder}/{tool}.sha256"] = hashlib.sha256(tool.encode()).hexdigest().encode()
    _publish_etcd(site, "etcd")
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


def _publish_etcd(site: Site, member: str) -> None:
    name = f"etcd-{versions.etcd()}-linux-amd64"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo(f"{name}/{member}")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"etcd"))
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    site.files[f"{versions.etcd()}/{name}.tar.gz"] = packed.getvalue()
    site.files[f"{versions.etcd()}/SHA256SUMS"] = f"{'0' * 64}  other.zip\n{digest}  {name}.tar.gz\n".encode()


@pytest.fixture(autouse=True)
def _amd64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def _download(site: Site, into: Path) -> None:
    releases.download(into, kubernetes_url=site.url, etcd_url=site.url)


def test_a_release_is_four_programs_and_nothing_else(site: Site, tmp_path: Path) -> None:
    _download(site, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {tool: tool for tool in TOOLS}
    assert all(path.stat().st_mode & 0o111 for path in tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["bin/linux/amd64/kubectl", "linux-amd64.tar.gz"])
def test_a_file_that_was_tampered_with_is_refused_and_deleted(site: Site, tmp_path: Path, suffix: str) -> None:
    path = next(name for name in site.files if name.endswith(suffix))
    site.files[path] += b"!"
    with pytest.raises(releases.ReleaseError, match="is not what its SHA-256 says"):
        _download(site, tmp_path)
    assert not (tmp_path / Path(path).name).exists()


@pytest.mark.parametrize("suffix", ["kubectl.sha256", "/kube-apiserver", "SHA256SUMS", ".tar.gz"])
def test_a_missing_file_is_no_release(site: Site, tmp_path: Path, suffix: str) -> None:
    del site.files[next(name for name in site.files if name.endswith(suffix))]
    with pytest.raises(releases.ReleaseError, match="404"):
        _download(site, tmp_path)


def test_checksums_that_name_no_etcd_are_no_release(site: Site, tmp_path: Path) -> None:
    site.files[f"{versions.etcd()}/SHA256SUMS"] = b"an error page\n"
    with pytest.raises(releases.ReleaseError):
        _download(site, tmp_path)


def test_an_archive_without_etcd_is_no_release(site: Site, tmp_path: Path) -> None:
    _publish_etcd(site, "README.md")
    with pytest.raises(releases.ReleaseError):
        _download(site, tmp_path)


def test_nobody_answering_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(releases.ReleaseError, match="refused"):
        releases.download(tmp_path, kubernetes_url="http://127.0.0.1:1", etcd_url="http://127.0.0.1:1")


def test_an_unknown_machine_has_no_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(releases.ReleaseError, match="pdp11"):
        releases.download(tmp_path)
