"""The shape of the README's sessions keeps what a person reads, and leaves out what is another with each run."""

import pytest
from hack.sessions import shape

LINE = "Head    Passed   4s    orch/issue-1-45ca03b5 is at 82a9d1f9   4997/5000  $0.03  until 2026-11-30 00:25 UTC"


@pytest.mark.parametrize(
    ("line", "same"),
    [
        pytest.param(
            "Head   Passed   1m10s   orch/issue-1-0badcafe is at deadbeef   12/5000  $1.20  until 2026-12-01 10:00 UTC",
            True,
            id="another run",
        ),
        pytest.param(LINE.replace("Passed", "Waiting"), False, id="another verdict"),
        pytest.param(LINE.replace("is at", "stands at"), False, id="other words"),
        pytest.param(LINE.replace("issue-1", "issue-2"), False, id="another number"),
        pytest.param(f"{LINE}\nFreeze  Passed", False, id="one line more"),
    ],
)
def test_shape(line: str, same: bool) -> None:
    assert (shape(line) == shape(LINE)) is same
