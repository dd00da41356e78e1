"""`GET /runs/{namespace}/{run}/transcripts/{step}`: people read what a work step has recorded. Routed by `app`.

They have no ticket: they show the token by which their cluster knows them. The API server says whose it is (TokenReview)
and whether they have `get` on `issueruns/log` of that run (SubjectAccessReview), and the run's status names the step's report.
A report is a step's own word, so the transcript that it names is handed out only if that very step has stored it. Of a step
without one, at work or dead, what it has told so far is handed out: the same lines, so a reader goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from orch.api.v1alpha1 import IssueRun, Step
from orch.api.work import BadDocument, StepReport, decode
from orch.gateway.artifacts import ArtifactStore
from orch.gateway.book import Book
from orch.gateway.errors import Refusal
from orch.gateway.records import Records, offset_of
from orch.gateway.tickets import bearer
from orch.kube.access import is_allowed
from orch.kube.client import Kube, connect
from orch.kube.errors import Invalid, KubeError
from orch.kube.objects import Objects
from orch.kube.resource import TOKEN_REVIEWS, Resource
from orch.kube.store import Store

SUBRESOURCE: Final = "log"
"""As pods have it: who may see a run does not by that see what its model said."""
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_LARGEST_REPORT: Final = 4_000_000
_CHUNK: Final = 1_000_000

_log = structlog.get_logger("orch.gateway")


@dataclass(frozen=True)
class _Person:
    name: str
    groups: tuple[str, ...]
    extra: Mapping[str, list[str]]


@dataclass(frozen=True)
class Readers:
    """The endpoint. `cluster`: None where the gateway was told of none; then it opens to nobody."""

    cluster: Kube | None
    store: ArtifactStore
    book: Book
    records: Records

    async def transcript(self, request: Request) -> Response:
        """The transcript as it was stored, or as far as it goes; `?offset=N`: without its first N bytes. Raises Refusal."""
        namespace, run, step = (request.path_params[key] for key in ("namespace", "run", "step"))
        if request.client is None:  # the sandboxes' socket: what runs there has no business with people's tokens
            raise Refusal(404, "the gateway does not serve this here", label="route")
        if not all(_NAME.fullmatch(name) for name in (namespace, run, step)):
            raise Refusal(400, "namespace, run and step are names of Kubernetes objects", label="name")
        try:
            found = await self._get_run(request, namespace, run)
        except KubeError as err:
            _log.warning("cluster_does_not_answer", problem=err.message)
            text = "the gateway cannot ask the cluster who you are and what you may read: see its log"
            raise Refusal(503, text, label="cluster") from None
        return await _rest(await self._find(found, _get_step(found, step)), offset_of(request))

    async def _get_run(self, request: Request, namespace: str, run: str) -> IssueRun:
        token = bearer(request, "log in to the cluster with a token, and send it")
        if self.cluster is None:
            text = "this gateway was told of no cluster to ask about people: set ORCH_GATEWAY_KUBECONFIG for it"
            raise Refusal(503, text, label="cluster")
        person = await _review(self.cluster, token)
        if not await _may_read(self.cluster, person, namespace, run):
            text = f"{person.name} may not get issueruns/{SUBRESOURCE} of {run} in {namespace}: ask for a role like orch-viewer"
            raise Refusal(403, text, label="rights")
        _log.info("transcript_read", user=person.name, namespace=namespace, run=run)
        found = await Store(self.cluster, IssueRun).find(namespace, run)
        if found is None:
            raise Refusal(404, f"there is no IssueRun {run} in {namespace}", label="run")
        return found

    async def _find(self, run: IssueRun, step: Step) -> Path:
        identity, report = run.status.identity or "", self._report(step)
        digest = report.transcript if report else ""
        path = self.store.find(digest) if digest else None
        if path is not None and await self.book.ask(lambda ledger: ledger.has_uploaded(identity, step.name, digest)):
            return path
        path = self.records.find(identity, step.name)
        if path is None:
            raise Refusal(404, f"step {step.name} has left no record that is still kept", label="artifact")
        return path

    def _report(self, step: Step) -> StepReport | None:
        path = self.store.find(step.output_digest) if step.output_digest else None
        if path is None or path.stat().st_size > _LARGEST_REPORT:
            return None
        try:
            return decode(path.read_bytes(), StepReport)
        except BadDocument:
            return None


async def _rest(path: Path, offset: int) -> Response:
    """What the file holds now behind the first bytes: it may be growing."""
    size = max((await asyncio.to_thread(path.stat)).st_size - offset, 0)

    async def chunks() -> AsyncIterator[bytes]:
        left = size
        with path.open("rb") as file:
            file.seek(offset)
            while left and (chunk := await asyncio.to_thread(file.read, min(left, _CHUNK))):
                left -= len(chunk)
                yield chunk

    return StreamingResponse(chunks(), headers={"content-length": str(size)}, media_type="application/x-ndjson")


@contextlib.asynccontextmanager
async def open_cluster(kubeconfig: Path | None) -> AsyncIterator[Kube | None]:
    """The cluster whose people may read: of the file, else the pod's own, else None. Raises NeedsHuman."""
    if kubeconfig is None and not _ACCOUNT.exists():
        yield None
        return
    async with await connect(kubeconfig) as kube:
        yield kube


async def _review(kube: Kube, token: str) -> _Person:
    try:
        answer = await Objects(kube, TOKEN_REVIEWS).create(None, {"spec": {"token": token}})
    except Invalid:  # what is no token at all
        answer = {}
    status: dict[str, Any] = answer.get("status") or {}
    user = status.get("user") or {}
    if not status.get("authenticated") or not user.get("username"):
        raise Refusal(401, "the cluster does not know this token: log in anew", label="person")
    return _Person(str(user["username"]), tuple(user.get("groups") or ()), user.get("extra") or {})


async def _may_read(kube: Kube, person: _Person, namespace: str, run: str) -> bool:
    return await is_allowed(
        kube,
        person.name,
        person.groups,
        "get",
        Resource.of(IssueRun),
        subresource=SUBRESOURCE,
        namespace=namespace,
        name=run,
        extra=person.extra,
    )


def _get_step(run: IssueRun, name: str) -> Step:
    for step in run.status.steps:
        if step.name == name:
            return step
    raise Refusal(404, f"{run.metadata.name} has no step {name}: its status names the newest 20", label="step")
