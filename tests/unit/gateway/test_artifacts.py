"""What the store of artifacts keeps and lets go of, by a clock of the test's own."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.acts import FakeClock

from orch.gateway.artifacts import ArtifactStore

KEPT = timedelta(days=30)
WORDS = [b"snapshot", b"bundle", b"report", b"transcript"]


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


async def keep(store: ArtifactStore, data: bytes) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield data

    upload = await store.receive(digest(data), content(), announced=None)
    await asyncio.to_thread(upload.keep)


async def nobody_told(_: object) -> None:
    """What is to go is of no interest."""


async def sweep(store: ArtifactStore, clock: FakeClock) -> set[str]:
    return {name async for gone in store.sweep(clock() - KEPT, forget=nobody_told) for name in gone}


ACTS = st.one_of(
    st.tuples(st.sampled_from(["keep", "find"]), st.sampled_from(WORDS)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
    st.tuples(st.sampled_from(["sweep", "restart"]), st.none()),
)


@given(st.lists(ACTS, max_size=30))
def test_an_artifact_goes_only_when_nobody_has_stored_or_used_it_for_the_retention(
    acts: list[tuple[str, bytes | int | None]],
) -> None:
    async def play(folder: Path) -> None:
        clock = FakeClock()
        store, used = ArtifactStore(folder, limit=1000, clock=clock), dict[str, datetime]()
        for act, about in acts:
            if isinstance(about, int):
                clock.forward(timedelta(days=about))
            elif isinstance(about, bytes) and act == "keep":
                await keep(store, about)
                used[digest(about)] = clock()
            elif isinstance(about, bytes):
                found = store.find(digest(about))
                assert (found is not None) is (digest(about) in used)
                if found is not None:
                    assert found.read_bytes() == about
                    used[digest(about)] = clock()
            elif act == "sweep":
                gone = {name for name, moment in used.items() if moment < clock() - KEPT}
                assert await sweep(store, clock) == gone
                used = {name: moment for name, moment in used.items() if name not in gone}
            else:
                store = ArtifactStore(folder, limit=1000, clock=clock)

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(play(Path(name)))


async def test_a_sweep_that_is_cut_short_is_ended_by_the_next(tmp_path: Path) -> None:
    clock = FakeClock()
    store = ArtifactStore(tmp_path, limit=1000, clock=clock)
    for data in WORDS:
        await keep(store, data)
    clock.forward(KEPT + timedelta(seconds=1))
    cut = store.sweep(clock() - KEPT, forget=nobody_told)
    first = await anext(cut)
    await cut.aclose()
    again = ArtifactStore(tmp_path, limit=1000, clock=clock)
    assert first.keys() | await sweep(again, clock) == {digest(data) for data in WORDS}
    assert all(again.find(digest(data)) is None for data in WORDS)


async def test_two_sweeps_at_once_do_not_mind_each_other(tmp_path: Path) -> None:
    clock = FakeClock()
    store = ArtifactStore(tmp_path, limit=1000, clock=clock)
    many = [b"%d" % number for number in range(200)]
    for data in many:
        await keep(store, data)
    clock.forward(KEPT + timedelta(seconds=1))
    by_one, by_other = await asyncio.gather(sweep(store, clock), sweep(store, clock))
    assert by_one | by_other == set(map(digest, many))
    assert by_one.isdisjoint(by_other)


async def test_what_is_used_while_a_sweep_is_under_way_stays_whole(tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    store = ArtifactStore(tmp_path, limit=1000, clock=clock)
    many = [b"%d" % number for number in range(200)]
    for data in many:
        await keep(store, data)
    clock.forward(KEPT + timedelta(seconds=1))

    async def use() -> list[bytes]:
        found = []
        for data in many:
            if store.find(digest(data)) is not None:
                found.append(data)
            await asyncio.sleep(0)
        return found

    gone, used = await asyncio.gather(sweep(store, clock), use())
    assert gone.isdisjoint(map(digest, used))
    for data in used:
        path = store.find(digest(data))
        assert path is not None
        assert path.read_bytes() == data
    assert len(gone) + len(used) == len(many)
