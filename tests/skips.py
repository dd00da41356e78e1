"""Nothing is skipped in CI. A pytest plugin that `tests/conftest.py` takes in.

A test that needs a program of the machine's (gh, bubblewrap, ssh-keygen) is skipped where a person has not installed it, and the
summary says so. Where `CI` is set, as `.ci/run` and most CI systems do, the same skip is a failure: a test that never runs
anywhere would look like one that passes.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """pytest's hook: turn a skip into a failure that says why it was skipped. An expected failure (xfail) is none."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI is set, where nothing may be: {_reason(report.longrepr)}"
    return report


def _reason(told: Any) -> str:
    """Of a skip: (file, line, reason)."""
    return str(told[2] if isinstance(told, tuple) else told).removeprefix("Skipped: ")
