"""How the program of a work step begins: what it does with a bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.agent.main import main


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"version": "1", "name": 7}', "name: Expected `str`, got `int`"),
        (b'{"version": "1", "more": 7}', "Object contains unknown field `more`"),
        (b'{"name": "\xff"}', "Invalid UTF-8 encoded string"),
        (b'{"name": "a", "issue":' + b"[" * 1_000_000, "issue: Expected `object`, got `array`"),
    ],
)
def test_an_input_that_breaks_the_contract_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, said: str
) -> None:
    given = tmp_path / "input.json"
    given.write_bytes(data)
    assert main(["--input", str(given), "--ticket", "none", "--gateway-socket", "none", "--tools-fd", "0"]) == 1
    assert capsys.readouterr().err == f"orch agent: the step's input breaks the contract: {said}\n"
