"""What a step tells while it works: its own record, whole, whatever of it was said twice."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.gateway.harness import IDENTITY


@pytest.fixture
async def gateway(start: Any, model: Any) -> Any:
    return await start(model().url, retention=timedelta(days=7))


def _records(gateway: Any) -> list[Path]:
    return sorted((gateway.settings.data_dir / "records").iterdir())


async def _tell(gateway: Any, offset: object, data: bytes, **claims: Any) -> Any:
    headers = gateway.as_step(**claims)
    return await gateway.over_socket().post("/record", params={"offset": offset}, content=data, headers=headers)


async def test_a_record_grows_and_what_is_said_twice_is_there_once(gateway: Any) -> None:
    assert (await _tell(gateway, 0, b"one\n")).json() == {"size": 4}
    assert (await _tell(gateway, 4, b"two\n")).json() == {"size": 8}
    assert (await _tell(gateway, 4, b"two\nthree\n")).json() == {"size": 14}, (
        "its answer was lost, and there is more by now"
    )
    assert [path.read_bytes() for path in _records(gateway)] == [b"one\ntwo\nthree\n"]


async def test_a_step_of_an_earlier_life_is_written_over(gateway: Any) -> None:
    await _tell(gateway, 0, b"of the earlier life\n")
    await _tell(gateway, 0, b"new\n")
    assert [path.read_bytes() for path in _records(gateway)] == [b"new\n"]


async def test_steps_have_records_of_their_own(gateway: Any) -> None:
    await _tell(gateway, 0, b"mine\n")
    await _tell(gateway, 0, b"theirs\n", step="web-7-1-implement-2")
    await _tell(gateway, 0, b"of another run\n", identity="f" * 16)
    assert sorted(path.read_bytes() for path in _records(gateway)) == [b"mine\n", b"of another run\n", b"theirs\n"]


@pytest.mark.parametrize("offset", [5, 10**14])
async def test_there_are_no_gaps(gateway: Any, offset: int) -> None:
    answer = await _tell(gateway, offset, b"x")
    assert answer.status_code == (409 if offset == 5 else 413)


@pytest.mark.parametrize("offset", ["-1", "one", "9" * 40, "\u0661"])
async def test_an_offset_is_a_number(gateway: Any, offset: str) -> None:
    assert (await _tell(gateway, offset, b"x")).status_code == 400
    assert _records(gateway) == []


async def test_a_record_has_its_cap(gateway: Any) -> None:
    most = b"x" * 6_000_000
    assert (await _tell(gateway, 0, most)).status_code == 200
    assert (await _tell(gateway, len(most), b"y")).status_code == 413
    assert (await _tell(gateway, 0, most + b"y")).status_code == 413
    assert [path.stat().st_size for path in _records(gateway)] == [len(most)]


async def test_the_operator_and_strangers_write_none(gateway: Any) -> None:
    answers = [await gateway.http.post("/record", content=b"x", headers=who) for who in (gateway.as_operator(), {})]
    assert [answer.status_code for answer in answers] == [403, 401]
    assert _records(gateway) == []


async def test_a_disk_that_takes_no_record_is_said(gateway: Any) -> None:
    await _tell(gateway, 0, b"x")
    (path,) = _records(gateway)
    path.unlink()
    path.mkdir()
    assert (await _tell(gateway, 0, b"x")).status_code == 507


async def test_an_old_record_goes_with_the_other_artifacts(gateway: Any) -> None:
    await _tell(gateway, 0, b"old\n")
    (old,) = _records(gateway)
    os.utime(old, (1, 1))
    await _tell(gateway, 0, b"young\n", identity=IDENTITY[::-1])
    await gateway.http.post("/sweep", headers=gateway.as_operator())
    assert [path.read_bytes() for path in _records(gateway)] == [b"young\n"]
