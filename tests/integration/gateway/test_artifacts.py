"""The artifact store over HTTP: named by content, read by those whose ticket says so."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.gateway.harness import KEY

from orch.adapters.artifacts import GatewayArtifacts
from orch.adapters.meter import operator_token
from orch.errors import NotFound, Terminal

DATA = b"a bundle"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
async def gateway(start: Any, model: Any) -> Any:
    return await start(model().url, artifact_bytes=1000, step_bytes=1500)


def _files(gateway: Any) -> list[Path]:
    return [path for path in (gateway.settings.data_dir / "artifacts").rglob("*") if path.is_file()]


async def test_the_operator_stores_and_reads(gateway: Any, tmp_path: Path) -> None:
    artifacts = GatewayArtifacts(gateway.url, operator_token(KEY))
    digest = await artifacts.put(DATA)
    assert digest == _digest(DATA)
    assert await artifacts.put(DATA) == digest
    assert await artifacts.get(digest, limit=100) == DATA
    with pytest.raises(NotFound):
        await artifacts.get(_digest(b"another"), limit=100)
    with pytest.raises(Terminal):
        await artifacts.put(b"x" * 1001)
    await artifacts.close()


async def test_a_step_reads_what_its_ticket_names_and_what_it_stored(gateway: Any) -> None:
    named, own, foreign = (_digest(data) for data in (b"named", b"own", b"foreign"))
    for data in (b"named", b"foreign"):
        await gateway.http.put(f"/artifacts/{_digest(data)}", content=data, headers=gateway.as_operator())
    client, headers = gateway.over_socket(), gateway.as_step(reads=(named,))
    assert (await client.put(f"/artifacts/{own}", content=b"own", headers=headers)).status_code == 201
    answers = [await client.get(f"/artifacts/{digest}", headers=headers) for digest in (named, own, foreign)]
    assert [answer.status_code for answer in answers] == [200, 200, 403]
    assert [answer.content for answer in answers[:2]] == [b"named", b"own"]
    missing = await client.get(f"/artifacts/{_digest(b'not there')}", headers=headers)
    assert missing.json() == answers[2].json()  # what it may not read it cannot find out about
    other = gateway.as_step(step="web-7-1-implement-2")
    assert (await client.get(f"/artifacts/{own}", headers=other)).status_code == 403


async def test_knowing_a_digest_does_not_open_it(gateway: Any) -> None:
    digest, headers = _digest(DATA), gateway.as_step()
    await gateway.http.put(f"/artifacts/{digest}", content=DATA, headers=gateway.as_operator())
    claimed = await gateway.http.put(f"/artifacts/{digest}", content=b"", headers=headers)
    assert (claimed.status_code, claimed.json()["error"]["type"]) == (400, "invalid_request_error")
    assert (await gateway.http.get(f"/artifacts/{digest}", headers=headers)).status_code == 403
    assert (await gateway.http.put(f"/artifacts/{digest}", content=DATA, headers=headers)).status_code == 200
    assert (await gateway.http.get(f"/artifacts/{digest}", headers=headers)).status_code == 200


async def test_head_tells_the_size(gateway: Any) -> None:
    await gateway.http.put(f"/artifacts/{_digest(DATA)}", content=DATA, headers=gateway.as_operator())
    answer = await gateway.http.head(f"/artifacts/{_digest(DATA)}", headers=gateway.as_operator())
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "8", b"")
    assert (await gateway.http.head(f"/artifacts/{_digest(b'')}", headers=gateway.as_operator())).status_code == 404


@pytest.mark.parametrize("announced", [True, False])
async def test_an_artifact_that_is_too_large_leaves_nothing(gateway: Any, announced: bool) -> None:
    data = os.urandom(1001)

    async def parts() -> AsyncIterator[bytes]:
        yield data

    content = data if announced else parts()
    answer = await gateway.http.put(f"/artifacts/{_digest(data)}", content=content, headers=gateway.as_operator())
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")
    assert _files(gateway) == []


async def test_a_step_stores_so_much_and_no_more(gateway: Any) -> None:
    first, second = os.urandom(900), os.urandom(700)
    headers = gateway.as_step()
    assert (await gateway.http.put(f"/artifacts/{_digest(first)}", content=first, headers=headers)).status_code == 201
    assert (await gateway.http.put(f"/artifacts/{_digest(second)}", content=second, headers=headers)).status_code == 413
    assert (await gateway.http.put(f"/artifacts/{_digest(first)}", content=first, headers=headers)).status_code == 200
    assert len(_files(gateway)) == 1


@pytest.mark.parametrize(
    "name", ["sha256:" + "A" * 64, "sha256:abc", "md5:" + "0" * 32, "%2e%2e", "sha256:" + "0" * 64 + "%0a"]
)
async def test_only_digests_are_names(gateway: Any, name: str) -> None:
    answer = await gateway.http.put(f"/artifacts/{name}", content=b"", headers=gateway.as_operator())
    assert answer.status_code == 400
    assert _files(gateway) == []


@pytest.mark.parametrize("path", ["/artifacts/../ledger.sqlite3", "/artifacts/%2e%2e%2fledger.sqlite3", "/artifacts/"])
async def test_no_path_leads_out_of_the_store(gateway: Any, path: str) -> None:
    answer = await gateway.http.get(path, headers=gateway.as_operator())
    assert answer.status_code in (400, 404)


async def test_an_upload_that_breaks_off_leaves_nothing(gateway: Any) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    ticket = gateway.as_operator()["authorization"]
    head = f"PUT /artifacts/{_digest(DATA)} HTTP/1.1\r\nhost: x\r\nauthorization: {ticket}\r\ncontent-length: 8\r\n\r\n"
    writer.write(head.encode() + DATA[:3])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    answer = await gateway.http.put(f"/artifacts/{_digest(b'x')}", content=b"x", headers=gateway.as_operator())
    assert answer.status_code == 201
    while len(_files(gateway)) > 1:  # the server hears of a closed connection when it next looks
        await gateway.http.get("/healthz")
    assert [path.read_bytes() for path in _files(gateway)] == [b"x"]


async def test_a_disk_that_takes_nothing_is_said(gateway: Any) -> None:
    shelf = gateway.settings.data_dir / "artifacts" / _digest(DATA).removeprefix("sha256:")[:2]
    shelf.write_bytes(b"")  # a file where the folder has to be
    answer = await gateway.http.put(f"/artifacts/{_digest(DATA)}", content=DATA, headers=gateway.as_operator())
    assert (answer.status_code, answer.json()["error"]["type"]) == (507, "api_error")
    assert _files(gateway) == [shelf]
