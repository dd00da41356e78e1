"""Reading JUnit XML, which hostile code writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.agent.junit import Counts, read_junit

SUITE = """<?xml version="1.0"?><testsuites><testsuite name="pytest">
<testcase classname="tests.test_a.TestB" name="test_c[1]"><failure message="m">t</failure></testcase>
<testcase classname="" name="tests.test_broken"><error message="collection failure"/></testcase>
<testcase classname="tests.test_a" name="ok"/>
<testcase classname="tests.test_a" name="later"><skipped/></testcase>
</testsuite></testsuites>"""


def test_failures_errors_and_skips(tmp_path: Path) -> None:
    (tmp_path / "j.xml").write_text(SUITE)
    assert read_junit(tmp_path / "j.xml") == Counts(1, 2, ("tests.test_a.TestB::test_c[1]", "tests.test_broken"))


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12)
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("<testsuites>", id="cut"),
        pytest.param("<html/>", id="something else"),
        pytest.param("not xml", id="prose"),
        pytest.param(f"{BOMB}]><testsuites>&m;</testsuites>", id="a bomb of entities"),
    ],
)
def test_what_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "j.xml").write_text(text)
    assert read_junit(tmp_path / "j.xml") is None


def test_no_file_is_none(tmp_path: Path) -> None:
    assert read_junit(tmp_path / "none.xml") is None


@given(data=st.binary(max_size=200))
def test_no_bytes_raise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("junit") / "j.xml"
    file.write_bytes(data)
    read_junit(file)


def test_pytest_itself_writes_it(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("def test_good(): pass\ndef test_bad(): assert 0\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=j.xml", "--rootdir=."]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert read_junit(tmp_path / "j.xml") == Counts(1, 1, ("test_x::test_bad",))
