"""The operator's client of the artifact store, over real HTTP on a Unix socket."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.agent.world import TICKET, Gateway, gateway

from orch.adapters.artifacts import GatewayArtifacts
from orch.errors import CredentialsRefused, NotFound, Terminal, Transient

DATA = b"some bytes" * 100_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path) as served:
        yield served


def store(world: Gateway, ticket: str = TICKET) -> GatewayArtifacts:
    return GatewayArtifacts("http://gateway", lambda: ticket, socket=world.socket)


async def test_what_is_put_comes_back(world: Gateway, tmp_path: Path) -> None:
    artifacts = store(world)
    digest = await artifacts.put(DATA)
    assert digest == f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    assert await artifacts.get(digest, limit=len(DATA)) == DATA
    await artifacts.get_file(digest, tmp_path / "file", limit=len(DATA))
    assert await artifacts.put_file(tmp_path / "file") == digest
    assert (tmp_path / "file").read_bytes() == DATA
    await artifacts.close()


async def test_a_limit_is_held_and_leaves_no_file(world: Gateway, tmp_path: Path) -> None:
    artifacts = store(world)
    digest = await artifacts.put(DATA)
    with pytest.raises(Terminal, match="larger than 1000 bytes"):
        await artifacts.get(digest, limit=1_000)
    with pytest.raises(Terminal):
        await artifacts.get_file(digest, tmp_path / "file", limit=1_000)
    assert not (tmp_path / "file").exists()
    await artifacts.close()


async def test_other_content_than_the_digests_is_refused(world: Gateway) -> None:
    artifacts = store(world)
    digest = await artifacts.put(DATA)
    world.artifacts[digest] = b"other"
    with pytest.raises(Terminal) as caught:
        await artifacts.get(digest, limit=100)
    assert caught.value.reason == "ArtifactBroken"
    await artifacts.close()


@pytest.mark.parametrize("digest", [f"sha256:{'0' * 64}", "sha256:../../etc/passwd", ""])
async def test_what_is_not_there(world: Gateway, digest: str) -> None:
    artifacts = store(world)
    with pytest.raises(NotFound):
        await artifacts.get(digest, limit=100)
    await artifacts.close()


async def test_a_refused_ticket_is_not_in_the_error(world: Gateway) -> None:
    artifacts = store(world, "forged-canary")
    with pytest.raises(CredentialsRefused) as caught:
        await artifacts.put(DATA)
    assert "canary" not in caught.value.message
    await artifacts.close()


async def test_no_gateway_is_transient(world: Gateway, tmp_path: Path) -> None:
    world.socket = tmp_path / "none"
    artifacts = store(world)
    with pytest.raises(Transient, match="did not answer"):
        await artifacts.get(f"sha256:{'0' * 64}", limit=1)
    await artifacts.close()
