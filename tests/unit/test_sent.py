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
_STEP = """
from orch.agent.connection import Client
from orch.agent.gateway import Store
from orch.agent.model import Model
from orch.agent.patience import Patience
from orch.agent.recorder import Recorder
from orch.api.work import ModelChoice
async def act():
    client, patience = Client(Path(sys.argv[3]), "ticket"), Patience(float("inf"))
    {act}
"""
_ASK = "Model(client, ModelChoice(name='m'), user_id='u', output_bytes=9, patience=patience).ask({'system': 'x' * 500_000})"
_PUT_FILE = """import io
    Store(client, patience).put_file(io.BytesIO(b'x' * 500_000), 'sha256:0', 500_000)"""
_TELL = """with Recorder(client) as recorder:
        recorder.add(b'x' * 500_000)"""
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
        pytest.param("ask-model@sent", _STEP.format(act=_ASK), 500_085, id="a step's model call"),
        pytest.param(
            "hand-in@sent",
            _STEP.format(act="Store(client, patience).put(b'x' * 500_000)"),
            500_000,
            id="what a step hands in",
        ),
        pytest.param("hand-in@sent", _STEP.format(act=_PUT_FILE), 500_000, id="a file that a step hands in"),
        pytest.param("tell@sent", _STEP.format(act=_TELL), 500_000, id="what a step tells"),
    ],
)
async def test_the_request_is_out(tmp_path: Path, place: str, act: str, size: int) -> None:
    heard = asyncio.get_running_loop().create_future()
    path = _short(tmp_path / "g.sock")
    server = await asyncio.start_server(lambda reader, writer: _mute(reader, writer, heard), "127.0.0.1")
    beside = await asyncio.start_unix_server(lambda reader, writer: _mute(reader, writer, heard), path)
    async with server, beside:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        (tmp_path / "config").write_text(yaml.safe_dump(_kubeconfig(address)))
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _RUN.format(act=act), address, str(tmp_path / "config"), path),
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


def _short(path: Path) -> str:
    """As a socket's path has to be: the folder of a test may not."""
    return os.path.relpath(path)


def _kubeconfig(address: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": address}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "users": [{"name": "x", "user": {"token": "x"}}],
    }
