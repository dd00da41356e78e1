"""When a repository's host is asked: within the interval, not all at once, and at once when a person wants it."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.builders import a_repo

from orch.reconcilers.polling import LONGEST, VERIFIED_FOR, Polls, pause
from orch.runtime.reconcile import Key

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = Key("team", "web")
MINUTE = timedelta(minutes=1)


def test_polls_of_many_drift_apart_and_none_is_late() -> None:
    pauses = [pause(Key("team", f"r{number}"), MINUTE) for number in range(200)]
    assert max(pauses) <= MINUTE
    assert min(pauses) >= 0.8 * MINUTE
    for second in range(48, 60):
        assert sum(second <= one.total_seconds() < second + 1 for one in pauses) < 40
    assert pause(KEY, MINUTE) == pause(KEY, MINUTE), "a run that wakes the object does not move its poll"


def test_between_polls_the_host_rests() -> None:
    polls, repo = Polls(), a_repo(interval="1m")
    assert polls.rest(KEY, repo, NOW) is None, "a new process has not asked yet"
    polls.note(KEY, repo, NOW)
    half = polls.rest(KEY, repo, NOW + MINUTE / 2)
    assert half == pause(KEY, MINUTE) - MINUTE / 2
    assert polls.rest(KEY, repo, NOW + MINUTE) is None


@pytest.mark.parametrize("asked", ["annotation", "spec"])
def test_a_person_need_not_wait(asked: str) -> None:
    polls, repo = Polls(), a_repo(interval="1m")
    polls.note(KEY, repo, NOW)
    assert not polls.is_asked_for(KEY, repo)
    if asked == "spec":
        repo.metadata.generation = (repo.metadata.generation or 0) + 1
    else:
        repo.metadata.annotations["orch.dev/requestedAt"] = "now"
    assert polls.is_asked_for(KEY, repo)
    assert polls.rest(KEY, repo, NOW) is None


def test_a_repository_is_verified_until_something_is_wrong() -> None:
    polls = Polls()
    assert polls.verified(KEY) < NOW - VERIFIED_FOR
    polls.note_verified(KEY, NOW)
    assert polls.verified(KEY) == NOW
    polls.doubt(KEY)
    assert polls.verified(KEY) < NOW - VERIFIED_FOR


@pytest.mark.parametrize(
    ("interval", "minutes"),
    [
        pytest.param("1m", [1, 1, 2, 4, 5, 5], id="twice as long each time, up to five minutes"),
        pytest.param("2h", [120, 120, 120, 120], id="an interval that is longer stays as it is"),
    ],
)
def test_who_is_refused_comes_back_ever_more_seldom(interval: str, minutes: list[int]) -> None:
    polls, repo = Polls(), a_repo(interval=interval)
    pauses = []
    for _ in minutes:
        pauses.append(polls.pause(KEY, repo.spec.interval))
        polls.refused(KEY, is_asked_for=False)
    assert pauses == [pause(KEY, count * MINUTE) for count in minutes]
    polls.note(KEY, repo, NOW)
    assert polls.rest(KEY, repo, NOW) == pauses[-1], "what wakes the object meanwhile changes nothing"
    polls.refused(KEY, is_asked_for=True)
    assert polls.pause(KEY, repo.spec.interval) == pauses[0], "a person is at it"
    polls.refused(KEY, is_asked_for=False)
    polls.welcomed(KEY)
    assert polls.pause(KEY, repo.spec.interval) == pauses[0]


def test_refusals_are_counted_for_a_month() -> None:
    polls, repo = Polls(), a_repo(interval="10s")
    for _ in range(10_000):
        polls.refused(KEY, is_asked_for=False)
    assert polls.pause(KEY, repo.spec.interval) == pause(KEY, LONGEST)


def test_what_is_gone_is_forgotten() -> None:
    polls, repo = Polls(), a_repo()
    polls.note(KEY, repo, NOW)
    polls.note_verified(KEY, NOW)
    polls.forget(KEY)
    assert polls.rest(KEY, repo, NOW) is None
    assert polls.verified(KEY) < NOW
