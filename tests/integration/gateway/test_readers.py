"""People read what a step has recorded: the real API server says who they are and what they may, the gateway hands it out."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hack.world.server import Server
from structlog.testing import capture_logs
from tests.cluster import Cluster, rights
from tests.integration.cli.conftest import issue_run
from tests.integration.gateway.harness import IDENTITY, Gateway

from orch.api.work import StepOutcome, StepReport, encode
from orch.cli.app import run

STEP = "web-7-1-implement-1"
RECORD = [
    {"kind": "prompt", "seconds": 0.1, "text": "make the tests pass"},
    {"kind": "tool", "seconds": 2.5, "name": "run", "input": {"command": "make test"}, "result": "\x1b[2J3 passed"},
    {"kind": "end", "seconds": 9.0, "outcome": "Done", "message": ""},
]
TRANSCRIPT = "".join(f"{json.dumps(entry)}\n" for entry in RECORD).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Office:
    """A gateway that asks the test's cluster, a run whose step has recorded something, and people with tokens."""

    def __init__(self, gateway: Gateway, server: Server, namespace: str, folder: Path) -> None:
        self.gateway, self.server, self.namespace, self._folder = gateway, server, namespace, folder

    def person(self, name: str, *, may_read: bool = True) -> Path:
        """Somebody with a token, as a file."""
        meta = {"name": name, "namespace": self.namespace}
        self.server.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        if may_read:
            self.server.apply(*rights(name, self.namespace, {"kind": "ServiceAccount", **meta}, "get:issueruns/log"))
        path = self._folder / f"{name}.token"
        path.write_text(self.server.make_token(name, self.namespace))
        return path

    async def store(self, data: bytes, **claims: Any) -> str:
        """What a step stores; its digest."""
        headers = self.gateway.as_step(**claims)
        answer = await self.gateway.http.put(f"/artifacts/{_digest(data)}", content=data, headers=headers)
        assert answer.status_code in (200, 201)
        return _digest(data)

    async def report(self, transcript: str, name: str = "web-7-1", namespace: str | None = None) -> None:
        """A run whose step has handed in a report that names this transcript."""
        report = StepReport(name=STEP, outcome=StepOutcome.DONE, transcript=transcript)
        digest = await self.store(encode(report))
        self.run_at("Succeeded", output=digest, name=name, namespace=namespace)

    def run_at(
        self,
        state: str,
        *,
        output: str | None = None,
        reason: str | None = None,
        name: str = "web-7-1",
        namespace: str | None = None,
    ) -> None:
        """A run whose step is in this state."""
        made = issue_run()
        where = namespace or self.namespace
        self.server.apply({key: value for key, value in made.items() if key != "status"}, namespace=where)
        step = {
            "name": STEP,
            "state": state,
            "stage": "Implement",
            "attempt": 1,
            "outputDigest": output,
            "reason": reason,
        }
        self.server.write_status("issueruns", name, where, {"identity": IDENTITY, "steps": [step]})

    async def tell(self, offset: int, data: bytes) -> None:
        """What a step tells while it works."""
        headers = self.gateway.as_step()
        answer = await self.gateway.http.post("/record", params={"offset": offset}, content=data, headers=headers)
        assert answer.status_code == 200

    async def get(self, token: str | None, *, namespace: str | None = None, step: str = STEP, offset: int = 0) -> Any:
        """The answer to somebody's request."""
        path = f"/runs/{namespace or self.namespace}/web-7-1/transcripts/{step}?offset={offset}"
        return await self.gateway.http.get(path, headers={"authorization": f"Bearer {token}"} if token else {})


@pytest.fixture
async def office(
    start: Callable[..., Any],
    model: Callable[..., Any],
    control_plane: Cluster,
    namespace: str,
    tmp_path: Path,
) -> Office:
    return Office(
        await start(model().url, kubeconfig=control_plane.kubeconfig), control_plane.server, namespace, tmp_path
    )


async def test_who_may_get_the_log_reads_the_transcript(office: Office) -> None:
    await office.report(await office.store(TRANSCRIPT))
    answer = await office.get(office.person("ann").read_text())
    assert (answer.status_code, answer.content) == (200, TRANSCRIPT)


async def test_a_step_at_work_and_a_dead_one_are_read_as_far_as_they_came(office: Office) -> None:
    first, *rest = TRANSCRIPT.splitlines(keepends=True)
    office.run_at("Running")
    token = office.person("ann").read_text()
    assert (await office.get(token)).status_code == 404
    await office.tell(0, first)
    assert (await office.get(token)).content == first
    await office.tell(len(first), rest[0])
    assert (await office.get(token, offset=len(first))).content == rest[0]
    assert (await office.get(token, offset=10**9)).content == b""
    office.run_at("Lost")
    assert (await office.get(token)).content == first + rest[0]
    stranger = office.person("bob", may_read=False).read_text()
    assert (await office.get(stranger)).status_code == 403


async def test_nobody_else_does(office: Office) -> None:
    await office.report(await office.store(TRANSCRIPT))
    stranger = office.person("bob", may_read=False).read_text()
    answers = [await office.get(token) for token in (stranger, "no token of this cluster", None)]
    assert [answer.status_code for answer in answers] == [403, 401, 401]
    assert "may not get issueruns/log of web-7-1" in answers[0].json()["error"]["message"]
    elsewhere = await office.get(office.person("ann").read_text(), namespace="default")
    assert elsewhere.status_code == 403


async def test_a_ticket_is_no_person(office: Office) -> None:
    await office.report(await office.store(TRANSCRIPT))
    ticket = office.gateway.as_operator()["authorization"].removeprefix("Bearer ")
    assert (await office.get(ticket)).status_code == 401


async def test_a_report_opens_nothing_that_its_step_has_not_stored(office: Office) -> None:
    """A step that knows the digest of another's artifact names it as its transcript."""
    foreign = await office.store(b"another tenant's", identity="fedcba9876543210", step="db-1-1-implement-1")
    await office.report(foreign)
    answer = await office.get(office.person("ann").read_text())
    assert answer.status_code == 404
    assert b"another tenant" not in answer.content


async def test_there_is_no_way_to_it_from_a_sandbox(office: Office) -> None:
    await office.report(await office.store(TRANSCRIPT))
    headers = {"authorization": f"Bearer {office.person('ann').read_text()}"}
    path = f"/runs/{office.namespace}/web-7-1/transcripts/{STEP}"
    assert (await office.gateway.over_socket().get(path, headers=headers)).status_code == 404


async def test_a_gateway_without_a_cluster_opens_to_nobody(
    start: Callable[..., Any], model: Callable[..., Any]
) -> None:
    gateway = await start(model().url)
    headers = {"authorization": "Bearer anything"}
    answer = await gateway.http.get(f"/runs/team-a/web-7-1/transcripts/{STEP}", headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "overloaded_error")
    assert "ORCH_GATEWAY_KUBECONFIG" in answer.json()["error"]["message"]


async def test_on_a_terminal(office: Office, kubeconfig: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await office.report(await office.store(TRANSCRIPT))
    place = ["--kubeconfig", str(kubeconfig), "-n", office.namespace, "--gateway", office.gateway.url]
    me = ["--token-file", str(office.person("ann"))]

    async def said(*words: str) -> tuple[int, str, str]:
        with capture_logs():  # the gateway's own, which shares our stdout here
            code = await asyncio.to_thread(run, [*words, *place])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    assert await said("logs", "web-7-1", *me) == (
        0,
        '     2.5s  run {"command": "make test"}\n  | \\x1b[2J3 passed\n     9.0s  ended: Done\n',
        "",
    )
    _, everything, _ = await said("transcript", "web-7-1", "implement-1", *me)
    assert everything.startswith("     0.1s  prompt\n  | make the tests pass\n")
    _, raw, _ = await said("transcript", "web-7-1", STEP, "--json", *me)
    assert [json.loads(line) for line in raw.splitlines()] == RECORD
    code, out, error = await said("logs", "web-7-1", "plan-1", *me)
    assert (code, out, error) == (1, "", "error: web-7-1 has no step plan-1; it has implement-1\n")
    stranger = office.person("bob", may_read=False)
    code, out, error = await said("logs", "web-7-1", "--token-file", str(stranger))
    assert (code, out) == (2, "")
    assert "may not get issueruns/log" in error
    code, out, _ = await said("logs", "web-7-1")  # with the token of the kubeconfig, an administrator's
    assert (code, out.count("ended: Done")) == (0, 1)
    code, _, error = await said("logs", "web-7-1", "--as", "ann")
    assert (code, error) == (2, "error: --as does not reach the gateway, which knows people by their own token\n")


async def test_a_terminal_follows_a_step_to_its_end(
    office: Office, kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office.run_at("Running")
    place = ["--kubeconfig", str(kubeconfig), "-n", office.namespace, "--gateway", office.gateway.url]
    me = ["--token-file", str(office.person("ann"))]

    async def said(*words: str) -> tuple[int, str, str]:
        with capture_logs():
            code = await asyncio.to_thread(run, [*words, *place, *me])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    code, out, error = await said("logs", "web-7-1")
    assert (code, out) == (1, "")
    assert f"step {STEP} is Running and has told nothing yet" in error

    following = asyncio.create_task(said("transcript", "web-7-1", "--json", "-f"))
    cut = len(TRANSCRIPT) // 2  # in the middle of a line
    await office.tell(0, TRANSCRIPT[:cut])
    await asyncio.sleep(1.5)
    await office.tell(cut, TRANSCRIPT[cut:])
    report = StepReport(name=STEP, outcome=StepOutcome.DONE, transcript=await office.store(TRANSCRIPT))
    office.run_at("Succeeded", output=await office.store(encode(report)))
    code, out, error = await following
    assert (code, error) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == RECORD

    office.run_at("Failed", reason="the step took longer than 4 s")
    for path in (office.gateway.settings.data_dir / "records").iterdir():
        path.unlink()
    code, out, error = await said("logs", "web-7-1", "-f")
    assert (code, out) == (1, "")
    assert f"step {STEP} is Failed (the step took longer than 4 s), and there is no record of it" in error
    assert "kubectl orch explain web-7-1" in error
