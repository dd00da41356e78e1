"""Repositories and runs by the thousand, as large as those of real life: status of about 6 kB, every field the operator's own.

`Writer` puts them on the API server with many requests at once; the documents are those that the operator would have
written, so that it reads them as its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
from tests.builders import digest, sha

from orch.api.v1alpha1 import OrchestratedRepo
from orch.api.work import IssueText, encode
from orch.kube.client import connect
from orch.policy.identity import run_identity

HEAD: Final = sha("head")
ISSUE_BODY: Final = "Say how many there are, and why. " * 40
_AT_ONCE: Final = 24
_API: Final = "orch.dev/v1alpha1"

Document = dict[str, Any]


def issue_title(number: int) -> str:
    return f"Report {number} is wrong about leap years"


def snapshot(number: int) -> bytes:
    """The artifact that a run of this issue names as the text that it was claimed with."""
    text = IssueText(number=number, title=issue_title(number), body=ISSUE_BODY, author="author")
    return encode(text)


def a_repo(number: int, *, gates: str = "Never", active: int = 20, interval: str = "10m") -> Document:
    """The number-th repository, as it is once the operator has accepted it. `gates`: when people are asked about a plan."""
    name = f"r{number}"
    document = {
        "apiVersion": _API,
        "kind": "OrchestratedRepo",
        "metadata": {"name": name},
        "spec": {
            "repository": f"acme/{name}",
            "credentialsRef": {"name": "acme"},
            "interval": interval,
            "mode": "Autonomous",
            "concurrency": {"maxActiveRuns": active, "maxOpenPullRequests": 100, "maxRunsPerDay": 1000},
            "approvals": {"gates": [{"gate": "Plan", "when": gates}]},
            "pipeline": {"timeouts": {"checks": "24h"}},
        },
        "status": {
            "observedGeneration": 1,
            "conditions": [_condition("Ready", "Available", f"acme/{name} is watched")],
            "repository": {"id": number + 1, "nodeID": f"R_{number}", "defaultBranch": "main", "visibility": "Private"},
        },
    }
    OrchestratedRepo.model_validate(document)
    return document


def a_run(number: int, *, repos: int, created_now: bool = False) -> Document:
    """A run that has just been asked for; its issue is `number`."""
    repo = f"r{number % repos}"
    trigger = {"type": "Label", "githubLogin": "maintainer", "time": _time(0), "eventID": f"LE_{number}"}
    return {
        "apiVersion": _API,
        "kind": "IssueRun",
        "metadata": {
            "name": f"{repo}-{number}-1",
            "labels": {"orch.dev/repo": repo, "orch.dev/issue": str(number)},
            "finalizers": ["orch.dev/cleanup"],
        },
        "spec": {
            "repositoryRef": {"name": repo},
            "issueNumber": number,
            "attempt": 1,
            "trigger": trigger,
        },
    }


def finished(number: int, *, repos: int) -> Document:
    """A run that was merged some time ago."""
    run = a_run(number, repos=repos)
    run["metadata"]["labels"]["orch.dev/terminal"] = "true"
    del run["metadata"]["finalizers"]
    status = _worked(run, number, repos)
    status["pullRequest"] |= {"state": "Merged", "mergeSHA": sha(f"{number} merge")}
    status["checks"] = {"headSHA": HEAD, "state": "Passed", "passed": 2}
    status |= {"stage": "Done", "completionTime": _time(1), "rollbackPointRef": {"name": f"r{number % repos}-{number}"}}
    status["conditions"].append(_condition("Succeeded", "Merged", f"#{number} is merged"))
    return run | {"status": status}


def waits_for_checks(number: int, *, repos: int) -> Document:
    """A run whose pull request is open since two hours and whose checks still run, as they may for a day."""
    run = a_run(number, repos=repos)
    status = _worked(run, number, repos)
    status["conditions"].append(_condition("Waiting", "AwaitingChecks", "1 of 2 checks still run: tests"))
    return run | {"status": status | {"stage": "Checks"}}


def waits_for_people(number: int, *, repos: int) -> Document:
    """A run whose plan stands and wants a person's word. The operator asks at its first look."""
    run = a_run(number, repos=repos)
    status = _worked(run, number, repos)
    for later in ("change", "pullRequest", "checks"):
        status.pop(later, None)
    status["branch"].pop("headSHA")
    status["branch"].pop("expectedSHA")
    status["steps"] = status["steps"][:2]
    return run | {"status": status | {"stage": "Plan"}}


def _worked(run: Document, number: int, repos: int) -> Document:
    """What a run knows once its pull request is open."""
    name, repo = run["metadata"]["name"], number % repos
    identity = run_identity(installation="default", host="github.com", repository_id=repo + 1, issue=number, attempt=1)
    stages = [("analyse", "Analyse"), ("plan", "Plan"), ("implement", "Implement")]
    return {
        "observedGeneration": 1,
        "identity": identity,
        "startTime": _time(3),
        "workerVersion": "0.1.0",
        "conditions": [
            _condition("Accepted", "Admitted", "the run has a slot"),
            _condition("Planned", "Planned", "the plan stands"),
            _condition("Published", "Published", "the pull request is open"),
        ],
        "issue": {
            "title": issue_title(number),
            "url": f"https://github.com/acme/r{repo}/issues/{number}",
            "author": "author",
            "authorPermission": "Write",
            "contentDigest": digest(snapshot(number)),
            "contentTime": _time(3),
        },
        "analysis": {
            "type": "Bug",
            "complexity": 3,
            "confidencePercent": 90,
            "actionable": True,
            "reason": _words(600),
        },
        "plan": {
            "digest": digest(f"{number} plan"),
            "summary": _words(900),
            "files": [f"src/package/module_{index}/handlers.py" for index in range(12)],
            "confidencePercent": 85,
            "artifact": {"kind": "ConfigMap", "name": f"{name}-plan-1", "key": "plan.json"},
        },
        "branch": {
            "name": f"orch/issue-{number}-{identity[:8]}",
            "baseBranch": "main",
            "baseSHA": HEAD,
            "headSHA": HEAD,
            "expectedSHA": HEAD,
        },
        "change": {
            "step": f"{name}-implement-1",
            "digest": digest(f"{number} change"),
            "files": 4,
            "additions": 120,
            "deletions": 14,
            "risk": "Low",
            "findings": [
                {"guard": "LargeChange", "action": "Allow", "path": f"src/m{index}.py", "message": _words(200)}
                for index in range(3)
            ],
        },
        "pullRequest": {"number": number, "url": f"https://github.com/acme/r{repo}/pull/{number}", "headSHA": HEAD},
        "checks": {"headSHA": HEAD, "state": "Pending", "passed": 1, "pending": 1},
        "attempts": {"implement": 1},
        "approvals": [],
        "steps": [_step(f"{name}-{kind}-1", stage, number) for kind, stage in stages],
        "effects": [
            {"key": f"claim/{identity}", "state": "Done", "observed": str(number), "time": _time(3)},
            {"key": f"push/{HEAD}", "state": "Done", "observed": HEAD, "time": _time(2)},
            {"key": "pull-request", "state": "Done", "observed": str(number), "time": _time(2)},
        ],
        "usage": {"modelCalls": 30, "inputTokens": 90000, "outputTokens": 12000, "costUSD": "0.41"},
        "artifacts": [
            {
                "name": f"transcript-{kind}-1",
                "ref": {
                    "kind": "Object",
                    "name": "transcript",
                    "digest": digest(f"{number} {kind}"),
                    "sizeBytes": 90000,
                },
            }
            for kind, _ in stages
        ],
    }


def _step(name: str, stage: str, number: int) -> Document:
    return {
        "name": name,
        "state": "Succeeded",
        "stage": stage,
        "attempt": 1,
        "runner": "Subprocess",
        "runnerUID": f"{number}-{stage}",
        "inputDigest": digest(f"{number} {name}"),
        "outputDigest": digest(f"{number} {stage}"),
        "startTime": _time(3),
        "completionTime": _time(2),
        "reason": "Done",
        "costUSD": "0.10",
    }


def _condition(kind: str, reason: str, message: str) -> Document:
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": _time(2)}


def _words(length: int) -> str:
    return ("the report counts every fourth year and forgets the centuries " * 20)[:length]


def _time(hours_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Writer:
    """Creates objects in one namespace, many at once."""

    def __init__(self, session: aiohttp.ClientSession, server: str, namespace: str) -> None:
        self._session, self._server, self._namespace = session, server, namespace

    async def prepare(self) -> None:
        """The namespace, and the Secret that every repository of the fleet names."""
        await self._post("/api/v1/namespaces", {"metadata": {"name": self._namespace}})
        token = base64.b64encode(secrets.token_bytes(8)).decode()
        await self._post(
            f"/api/v1/namespaces/{self._namespace}/secrets", {"metadata": {"name": "acme"}, "data": {"token": token}}
        )

    async def create(self, documents: Iterable[Document]) -> dict[str, float]:
        """Each with its status, where it has one. Name → the machine's monotonic time at which it was sent."""
        limit = asyncio.Semaphore(_AT_ONCE)
        sent: dict[str, float] = {}
        async with asyncio.TaskGroup() as group:
            for document in documents:
                await limit.acquire()
                sent[document["metadata"]["name"]] = time.monotonic()
                task = group.create_task(self._create(document))
                task.add_done_callback(lambda _: limit.release())
        return sent

    async def versions(self, plural: str, labels: str) -> dict[str, str]:
        """Name → resourceVersion of what carries the labels."""
        query = {"labelSelector": labels}
        headers = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
        url = self._server + self._path(plural)
        async with self._session.get(url, params=query, headers=headers) as answer:
            items = (await answer.json(content_type=None))["items"]
        return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}

    async def documents(self, plural: str, labels: str = "") -> list[Document]:
        """The objects as they are."""
        url = self._server + self._path(plural)
        async with self._session.get(url, params={"labelSelector": labels}) as answer:
            return list((await answer.json())["items"])

    async def _create(self, document: Document) -> None:
        base = self._path(f"{document['kind'].lower()}s")
        made = await self._post(base, document)
        if "status" in document:
            url = f"{self._server}{base}/{document['metadata']['name']}/status?fieldValidation=Strict"
            async with self._session.put(url, data=json.dumps(made | {"status": document["status"]})) as answer:
                await _check(answer)

    def _path(self, plural: str) -> str:
        return f"/apis/{_API}/namespaces/{self._namespace}/{plural}"

    async def _post(self, path: str, document: Document) -> Document:
        async with self._session.post(self._server + path, data=json.dumps(document)) as answer:
            await _check(answer)
            return dict(await answer.json())


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status >= 300 and answer.status != 409:
        raise RuntimeError(f"{answer.method} {answer.url.path}: {(await answer.text())[:500]}")


@asynccontextmanager
async def writing(kubeconfig: Path, namespace: str) -> AsyncIterator[Writer]:
    """A Writer as the administrator."""
    async with await connect(kubeconfig) as kube:
        headers = {**await kube.authorization(), "Content-Type": "application/json"}
        connector = aiohttp.TCPConnector(ssl=kube.ssl_context, limit=_AT_ONCE)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            yield Writer(session, kube.server, namespace)
