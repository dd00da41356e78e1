"""Artifacts are let go of when they have not been used for long, and by the operator's word alone."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.integration.gateway.harness import KEY

from orch.adapters.artifacts import GatewayArtifacts
from orch.adapters.meter import operator_token
from orch.errors import CredentialsRefused, NotFound
from orch.gateway.settings import GatewaySettings

DAY = 24 * 3600


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
async def gateway(start: Any, model: Any) -> Any:
    return await start(model().url, retention=timedelta(days=7))


def _path(gateway: Any, digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    return Path(gateway.settings.data_dir / "artifacts" / name[:2] / name)


def _age(gateway: Any, digest: str, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(_path(gateway, digest), (then, then))


async def test_what_was_not_used_for_longer_than_the_retention_goes(gateway: Any) -> None:
    artifacts = GatewayArtifacts(gateway.url, operator_token(KEY))
    old, read, touched, young = [await artifacts.put(word) for word in (b"old", b"read", b"touched", b"young")]
    for digest in (old, read, touched):
        _age(gateway, digest, 8)
    _age(gateway, young, 6)
    assert await artifacts.get(read, limit=100) == b"read"
    await artifacts.touch(touched)
    assert await artifacts.sweep() == 1
    assert [_path(gateway, digest).exists() for digest in (old, read, touched, young)] == [False, True, True, True]
    with pytest.raises(NotFound):
        await artifacts.get(old, limit=100)
    assert await artifacts.put(b"old") == old
    assert await artifacts.get(old, limit=100) == b"old"
    assert await artifacts.sweep() == 0
    await artifacts.close()


async def test_what_is_not_there_is_touched_without_an_error(gateway: Any) -> None:
    artifacts = GatewayArtifacts(gateway.url, operator_token(KEY))
    for name in (_digest(b"nothing"), "", "../ledger.sqlite3"):
        await artifacts.touch(name)
    await artifacts.close()


async def test_a_step_sweeps_nothing_and_does_not_keep_what_it_may_not_read(gateway: Any) -> None:
    headers = gateway.as_step()
    await gateway.http.put(f"/artifacts/{_digest(b'foreign')}", content=b"foreign", headers=gateway.as_operator())
    _age(gateway, _digest(b"foreign"), 8)
    answer = await gateway.over_socket().post("/sweep", headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
    assert (await gateway.over_socket().post("/sweep")).status_code == 401
    assert (await gateway.http.head(f"/artifacts/{_digest(b'foreign')}", headers=headers)).status_code == 403
    answer = await gateway.http.post("/sweep", headers=gateway.as_operator())
    assert answer.json() == {"removed": 1, "bytes": 7}


async def test_a_step_that_stored_what_is_gone_has_stored_nothing(gateway: Any) -> None:
    digest, headers = _digest(b"own"), gateway.as_step()
    await gateway.http.put(f"/artifacts/{digest}", content=b"own", headers=headers)
    _age(gateway, digest, 8)
    await gateway.http.post("/sweep", headers=gateway.as_operator())
    await gateway.http.put(f"/artifacts/{digest}", content=b"own", headers=gateway.as_operator())
    assert (await gateway.http.get(f"/artifacts/{digest}", headers=headers)).status_code == 403


async def test_a_disk_that_lets_nothing_go_is_said(gateway: Any) -> None:
    await gateway.http.put(f"/artifacts/{_digest(b'x')}", content=b"x", headers=gateway.as_operator())
    _path(gateway, _digest(b"x")).parent.joinpath("folder").mkdir()
    _age(gateway, _digest(b"x"), 8)
    os.utime(_path(gateway, _digest(b"x")).parent / "folder", (0, 0))
    answer = await gateway.http.post("/sweep", headers=gateway.as_operator())
    assert (answer.status_code, answer.json()["error"]["type"]) == (507, "api_error")


async def test_another_key_sweeps_nothing(gateway: Any) -> None:
    artifacts = GatewayArtifacts(gateway.url, operator_token(b"another key of thirty-two bytes!"))
    with pytest.raises(CredentialsRefused):
        await artifacts.sweep()
    await artifacts.close()


def test_the_retention_is_longer_than_the_operators_pace(settings: GatewaySettings) -> None:
    with pytest.raises(ValidationError, match="retention"):
        GatewaySettings(retention=timedelta(days=1))
    assert GatewaySettings().retention == timedelta(days=30)
