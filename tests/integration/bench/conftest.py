"""The benches' smoke test starts programs and worlds as the end-to-end tests do."""

from tests.e2e.conftest import nursery, open_desk

__all__ = ["nursery", "open_desk"]
