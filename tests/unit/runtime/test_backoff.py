"""Waits grow, stay under the limit, and are forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.runtime.backoff import Backoff


def test_waits_double_up_to_the_limit_and_start_again_after_a_success() -> None:
    backoff: Backoff[str] = Backoff(first=1, limit=10, spread=0)
    assert [backoff.next("a") for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    assert backoff.next("b") == 1, "keys do not share"
    backoff.forget("a")
    assert backoff.next("a") == 1


@given(failures=st.integers(0, 3000), rand=st.floats(0, 1, exclude_max=True), spread=st.floats(0, 0.9))
def test_jitter_only_shortens(failures: int, rand: float, spread: float) -> None:
    backoff: Backoff[str] = Backoff(first=1, limit=300, spread=spread, rand=lambda: rand)
    backoff._failures["a"] = failures
    whole = min(300.0, 2.0 ** min(failures, 64))
    assert backoff.next("a") == pytest.approx(whole * (1 - spread * rand))
    assert backoff.failures("a") == failures + 1
