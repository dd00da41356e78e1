"""The moment `sent` of an act: its whole request is out, and nothing of an answer is needed to get there."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest
import yaml

from orch.failpoints import VARIABLE

_KUBE = """
from orch.kube.client import connect
from orch.kube.resource import Resource
async def act():
    async with await connect(sys.argv[2]) as kube:
        leases = Resource("coordination.k8s.io", "v1", "leases", "Lease")
        await kube.request({verb!r}, leases, namespace="a", name="b", body={body})
"""
_ARTIFACTS = """
from orch.adapters.artifacts import GatewayArtifacts
async def act():
    await GatewayArtifacts(sys.argv[1], lambda: "ticket").{call}
"""
_MODEL = """
from orch.failpoints import hit_when_sent
from orch.gateway.upstreams import KeyFile, Upstream
async def act():
    Path(sys.argv[2]).with_name("key").write_text("key")
    upstream = Upstream(sys.argv[1], KeyFile(Path(sys.argv[2]).with_name("key")))
    async with upstream.create(b"x" * 50_000, {}, extensions=hit_when_sent("call-model")):
        pass
"""
_RUN = "import asyncio, sys\nfrom pathlib import Path\n{act}\nasyncio.run(act())\n"


async def _mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: asyncio.Future[bytes]) -> None:
    """Takes all that comes, and says nothing."""
    heard.set_result(await reader.read())
    writer.close()


@pytest.mark.parametrize(
    ("place", "act", "size"),
    [
        pytest.param(
            "update leases.coordination.k8s.io@sent",
            _KUBE.format(verb="update", body={"spec": "x" * 40_000}),
            40_012,
            id="a write to the API server",
        ),
        pytest.param(
            "delete leases.coordination.k8s.io@sent", _KUBE.format(verb="delete", body=None), 0, id="one without a body"
        ),
        pytest.param("put-artifact@sent", _ARTIFACTS.format(call="put(b'x' * 50_000)"), 50_000, id="an artifact"),
        pytest.param("sweep@sent", _ARTIFACTS.format(call="sweep()"), 0, id="a sweep"),
        pytest.param("call-model@sent", _MODEL, 50_000, id="a model call"),
    ],
)
async def test_the_request_is_out(tmp_path: Path, place: str, act: str, size: int) -> None:
    heard = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda reader, writer: _mute(reader, writer, heard), "127.0.0.1")
    async with server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        (tmp_path / "config").write_text(yaml.safe_dump(_kubeconfig(address)))
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _RUN.format(act=act), address, str(tmp_path / "config")),
            env={**os.environ, VARIABLE: place},
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await child.communicate()
        assert (child.returncode, complaint.decode()) == (-signal.SIGKILL, f"failpoint: {place}\n")
        async with asyncio.timeout(10):
            head, end, body = (await heard).partition(b"\r\n\r\n")
    announced = re.search(rb"(?i)content-length: (\d+)", head)
    assert end
    assert len(body) == size == int(announced[1] if announced else 0)


def _kubeconfig(address: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": address}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "users": [{"name": "x", "user": {"token": "x"}}],
    }
