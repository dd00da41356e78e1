"""Which versions of orch may work on one run, one after the other."""

import pytest

from orch.policy.versions import is_forsaken


@pytest.mark.parametrize(
    ("written_by", "now", "forsaken"),
    [
        ("1.4.2", "1.4.0", False),
        ("1.3.9", "1.4.0", False),
        ("1.2.9", "1.4.0", True),
        pytest.param("1.5.0", "1.4.0", False, id="a newer one: its steps are looked at"),
        pytest.param("0.9.0", "1.0.0", False, id="the last before a major release"),
        pytest.param("0.9.0", "1.1.0", True, id="two releases back, whatever the numbers"),
        ("0.9.0", "2.0.0", True),
        ("0.1.0.dev3+gabc", "0.1.0", False),
        pytest.param(None, "1.4.0", False, id="nobody worked on it"),
        pytest.param("unknown", "1.4.0", False, id="no version"),
    ],
)
def test_the_neighbours(written_by: str | None, now: str, forsaken: bool) -> None:
    assert is_forsaken(written_by, now) is forsaken
