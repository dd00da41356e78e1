"""Tests of the tool server's options: those that the supervisor gives, and nothing else."""

from pathlib import Path

import pytest

from orch.agent.toolserver import Options, read_options

GIVEN = ["--fd", "7", "--checkout", "/checkout", "--state", "/state"]


def test_the_supervisors_options_are_read() -> None:
    assert read_options(GIVEN) == Options(7, Path("/checkout"), Path("/state"), sweep=False)
    assert read_options([*GIVEN, "--sweep"]) == Options(7, Path("/checkout"), Path("/state"), sweep=True)


@pytest.mark.parametrize(
    "words", [[], GIVEN[:4], ["--fd", "seven", *GIVEN[2:]], [*GIVEN, "--fast"], [*GIVEN[2:], *GIVEN[:2]]]
)
def test_other_options_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="takes --fd N --checkout DIR --state DIR"):
        read_options(words)
