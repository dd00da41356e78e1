"""`python -m orch.testservers.model`: one line when it listens, a clean end, one line when it cannot start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import pytest

PROGRAM = [sys.executable, "-m", "orch.testservers.model"]


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "ORCH_STANDIN_KEY"} | more


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, end: signal.Signals) -> None:
    (tmp_path / "hi.yaml").write_text("stages: {turns: [{text: Hi, delay: 0.01}]}")
    data, ready = tmp_path / "data", tmp_path / "ready"
    options = ["--data", str(data), "--scripts", str(tmp_path), "--ready-file", str(ready)]
    for count in (1, 2):  # again on the same data: the journal goes on
        with subprocess.Popen(
            [*PROGRAM, *options],
            env=environment(ORCH_STANDIN_KEY="sk-one\nsk-two"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            url = ready.read_text().strip()
            assert line == f"listening on {url}"
            client: Any = anthropic.Anthropic(base_url=url, api_key="sk-two", max_retries=0)
            asked: Any = [{"role": "user", "content": "Hello"}]
            message = client.messages.create(model="claude-sonnet-5", max_tokens=10, messages=asked)
            assert message.content[0].text == "Hi"
            client.close()
            process.send_signal(end)
            assert process.communicate(timeout=30) == ("", "")
            assert process.returncode == 0
        lines = (data / "journal.jsonl").read_text().splitlines()
        assert [json.loads(one)["seq"] for one in lines] == list(range(1, count + 1))


@pytest.mark.parametrize(
    ("options", "key", "complaint"),
    [
        pytest.param([], "", "no key to accept: give --api-key-file, or set ORCH_STANDIN_KEY", id="no key"),
        pytest.param(["--api-key-file", "none"], "", "No such file or directory: 'none'", id="no key file"),
        pytest.param(["--scripts", "bad.yaml"], "sk", "bad: stages: Field required", id="bad script"),
        pytest.param(["--scripts", "none.yaml"], "sk", "none.yaml: cannot be read", id="no script"),
        pytest.param(["--data", "bad.yaml"], "sk", "File exists: 'bad.yaml'", id="data is a file"),
    ],
)
def test_what_keeps_it_from_starting_is_one_line(tmp_path: Path, options: list[str], key: str, complaint: str) -> None:
    (tmp_path / "bad.yaml").write_text("{}")
    ended = subprocess.run(
        [*PROGRAM, "--data", "data", *options],
        env=environment(ORCH_STANDIN_KEY=key),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert complaint in ended.stderr
    assert ended.stderr.count("\n") == 1
