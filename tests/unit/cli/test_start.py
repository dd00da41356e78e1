"""What a verb loads before it asks the cluster: a person waits for each import."""

from __future__ import annotations

import subprocess
import sys

import pytest

RUN = """
import sys
from orch.cli import main
sys.argv[1:] = {words!r}
main()
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["status"], ["explain", "web-7-1"], ["approve", "x"], ["doctor"], ["pause", "web"]])
def test_a_verb_loads_neither_the_synchronous_client_nor_what_the_operator_logs_with(words: list[str]) -> None:
    code = RUN.format(words=[*words, "--kubeconfig", "/nowhere"])
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.split()
    assert "kubernetes.aio.client" in loaded
    assert {"kubernetes.client", "requests", "oauthlib", "structlog", "kopf", "github", "litellm"} & {*loaded} == set()


def test_the_synchronous_client_is_there_for_who_asks() -> None:
    code = "from orch.cli.lean import spare_the_client as s; s(); import kubernetes; print(kubernetes.client.V1Pod.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "V1Pod\n"
    assert (
        "AttributeError"
        in subprocess.run(
            [sys.executable, "-c", code.replace("client.V1Pod", "nothing")], capture_output=True, text=True, check=False
        ).stderr
    )


def test_the_operator_loads_as_little_of_the_synchronous_client_as_kopf_lets_it() -> None:
    code = "import sys; from orch.programs import main; main(['operator', '--nothing']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {*done.stdout.split()}
    assert "orch.main" in loaded
    assert {"kubernetes.config", "oauthlib", "websocket"} & loaded == set()
