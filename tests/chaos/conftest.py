"""Crashes, lost answers and broken neighbours, in worlds like those of the end-to-end tests."""

import pytest

pytest.register_assert_rewrite("tests.chaos.proof")  # so that a failure says what there was

from tests.cluster import control_plane  # noqa: E402
from tests.e2e.conftest import open_desk  # noqa: E402

__all__ = ["control_plane", "open_desk"]
