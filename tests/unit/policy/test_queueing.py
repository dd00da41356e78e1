"""What follows when the merge queue gives a pull request back."""

from __future__ import annotations

import pytest

from orch.policy.queueing import MOST, UNTOLD, GivenBack, Next, after

HEAD, OTHER = "1" * 40, "2" * 40


@pytest.mark.parametrize(
    ("given", "behind", "follows", "words"),
    [
        pytest.param(GivenBack("failed_checks", HEAD, 1), False, Next.PERSON, "its checks failed there", id="red"),
        pytest.param(
            GivenBack("failed_checks", HEAD, 1), True, Next.UPDATE, "is merged in", id="red, and the base has moved"
        ),
        pytest.param(GivenBack("failed_checks", OTHER, 1), False, Next.ENTER, "once more", id="red as another head"),
        pytest.param(GivenBack("checks_timed_out", HEAD, 1), False, Next.PERSON, "merge_group", id="no CI for groups"),
        pytest.param(
            GivenBack("failed_checks", HEAD, 1, ["a", "b", "c", "d"]),
            False,
            Next.PERSON,
            "(a, b, c and 1 more)",
            id="names",
        ),
        pytest.param(
            GivenBack("merge_conflict", HEAD, 1), False, Next.PERSON, "in front of it", id="a conflict in the queue"
        ),
        pytest.param(
            GivenBack("merge_conflict", HEAD, 1), True, Next.UPDATE, "conflicts", id="a conflict with the base"
        ),
        pytest.param(GivenBack("queue_cleared", HEAD, 1), False, Next.ENTER, "once more", id="not its own failure"),
        pytest.param(GivenBack("queue_cleared", HEAD, MOST), False, Next.PERSON, f"{MOST} times", id="not for ever"),
        pytest.param(
            GivenBack("failed_checks", OTHER, MOST), True, Next.PERSON, f"{MOST} times", id="nor with new heads"
        ),
        pytest.param(
            GivenBack("manual", HEAD, 1), True, Next.PERSON, "somebody took it out", id="a person holds it back"
        ),
        pytest.param(
            GivenBack("manual", OTHER, 1), False, Next.ENTER, "once more", id="a person held another head back"
        ),
        pytest.param(GivenBack(UNTOLD, HEAD, 1), False, Next.PERSON, "does not say why", id="no reason"),
        pytest.param(GivenBack("a_new_word", HEAD, 1), False, Next.PERSON, "a_new_word", id="an unknown reason"),
    ],
)
def test_what_follows(given: GivenBack, behind: bool, follows: Next, words: str) -> None:
    found, message = after(given, head=HEAD, behind=behind)
    assert found is follows
    assert words in message
    assert ("Merge when ready" in message) is (found is Next.PERSON), "a person is told what to do"
