"""Crashes, lost answers and broken neighbours, in worlds like those of the end-to-end tests."""

from tests.cluster import control_plane
from tests.e2e.conftest import open_desk

__all__ = ["control_plane", "open_desk"]
