"""The benches' smoke test has worlds as the end-to-end tests have."""

from tests.e2e.conftest import open_desk

__all__ = ["open_desk"]
