"""An API server of a bench's own with our CRDs, and operators in processes of their own that are looked at from outside."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
from hack.binaries import ensure
from hack.servers import ControlPlane
from hack.world.nursery import Nursery
from hack.world.process import Process
from tests.bench.fleet import Document, Writer, writing

ROOT = Path(__file__).resolve().parents[2]
_REQUESTS = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>[0-9.e+]+)$", re.MULTILINE)
_TICKS = os.sysconf("SC_CLK_TCK")
_COUNTED = ("orch.dev", "coordination.k8s.io", "events.k8s.io")
_NEVER_WATCHED = ("secrets", "configmaps")
"""By an operator, which may not. The API server watches them for itself, anew each five to ten minutes."""


@dataclass(frozen=True)
class Bed:
    """A namespace on a running API server that only benches talk to: no controllers, no other clients."""

    folder: Path
    kubeconfig: Path
    kubectl: Path
    namespace: str = "bench"
    nursery: Nursery | None = None
    """Starts the programs, which otherwise start by themselves."""

    def create(self, documents: Sequence[Document]) -> dict[str, float]:
        """Put objects there, with their status. Name → the machine's monotonic time at which it was sent."""
        sent: dict[str, float] = asyncio.run(self._with(lambda writer: writer.create(documents)))
        return sent

    def documents(self, plural: str, labels: str = "") -> list[Document]:
        """The objects with these labels."""
        return asyncio.run(self._with(lambda writer: writer.documents(plural, labels)))

    def versions(self, plural: str, labels: str) -> dict[str, str]:
        """Name → resourceVersion."""
        return asyncio.run(self._with(lambda writer: writer.versions(plural, labels)))

    def prepare(self) -> None:
        """CRDs, and the first namespace with its credential."""
        self.call("apply", "--server-side", "-f", str(ROOT / "crds"))
        self.call("wait", "--for=condition=Established", "--timeout=60s", "-f", str(ROOT / "crds"))
        for crd in sorted((ROOT / "crds").glob("*.yaml")):
            self._await_storage(crd.stem)
        self._furnish()

    def beside(self, namespace: str) -> Bed:
        """Another namespace on the same server, as fresh as the first."""
        made = replace(self, folder=self.folder / namespace, namespace=namespace)
        made.folder.mkdir()
        made._furnish()
        return made

    def _furnish(self) -> None:
        asyncio.run(self._with(lambda writer: writer.prepare()))

    def _await_storage(self, plural: str) -> None:
        """Established is not yet served: the first list of a new kind may be told to come back (429)."""
        raw = f"/apis/orch.dev/v1alpha1/{plural}?limit=1"
        for _ in range(300):
            if subprocess.run(self._command("get", "--raw", raw), capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)

    def requests(self) -> Counter[tuple[str, str]]:
        """(verb, resource) → requests so far, of the kinds that an operator asks for. A watch is counted when it ends."""
        counted: Counter[tuple[str, str]] = Counter()
        for found in _REQUESTS.finditer(self.call("get", "--raw", "/metrics")):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', found["labels"]))
            is_asked_for = labels["resource"] in _NEVER_WATCHED and labels["verb"] != "WATCH"
            if labels["group"] in _COUNTED or is_asked_for:
                resource = "/".join(part for part in (labels["resource"], labels["subresource"]) if part)
                counted[labels["verb"], resource] += round(float(found["count"]))
        return counted

    def call(self, *arguments: str) -> str:
        """kubectl as the administrator; its output."""
        return subprocess.run(self._command(*arguments), check=True, capture_output=True, text=True).stdout

    def _command(self, *arguments: str) -> list[str]:
        return [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), *arguments]

    async def _with(self, act: Callable[[Writer], Any]) -> Any:
        async with writing(self.kubeconfig, self.namespace) as writer:
            return await act(writer)

    @contextmanager
    def operator(self, name: str = "operator", **options: Any) -> Iterator[Operator]:
        """An operator from its start to its clean stop. `options`: see `program.py`; `env` holds more ORCH_ settings."""
        operator = Operator.start(self, name, options)
        try:
            yield operator
        finally:
            operator.process.stop()

    def run(self, name: str, module: str, *arguments: str, ready: Path | None = None, **env: str) -> Process:
        """`python -m MODULE ARGUMENTS`, started. `env`: more of its environment."""
        process = Process(
            name,
            [sys.executable, "-m", module, *arguments],
            log=self.folder / f"{name}.log",
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT), **env},
            ready=ready,
            nursery=self.nursery,
        )
        process.start()
        return process


Beds = Callable[[], AbstractContextManager[Bed]]
"""Where a bench gets the bed that it measures in."""


@contextmanager
def bed(nursery: Nursery | None = None) -> Iterator[Bed]:
    """A fresh one on a server of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as name:
        folder, programs = Path(name), ensure(lambda _text: None)
        with ControlPlane(folder / "controlplane", programs, controllers=False) as plane:
            made = Bed(folder, plane.kubeconfig, programs["kubectl"], nursery=nursery)
            made.prepare()
            yield made


@dataclass
class Operator:
    """A running `program.py`."""

    process: Process
    trace: Path
    ready: Path
    began: float
    _read: int = 0
    lines: list[tuple[float, str, str]] = field(default_factory=list)
    """When (monotonic seconds, the machine's), what, which."""

    @classmethod
    def start(cls, bed: Bed, name: str, options: dict[str, Any]) -> Operator:
        trace, ready = bed.folder / f"{name}.trace", bed.folder / f"{name}.ready"
        trace.write_text("")
        env = {
            "ORCH_KUBECONFIG": str(bed.kubeconfig),
            "ORCH_NAMESPACES": json.dumps([bed.namespace]),
            "ORCH_OPERATOR_NAMESPACE": bed.namespace,
            "ORCH_DATA_DIR": str(bed.folder / name),
            "ORCH_HEALTH_PORT": "0",
            "ORCH_MAX_ACTIVE_RUNS": "1000",  # what is measured is the loop, not this cap
            "ORCH_READY_FILE": str(ready),
            **options.pop("env", {}),
            "BENCH": json.dumps({"trace": str(trace), **options}),
        }
        began = time.monotonic()
        return cls(bed.run(name, "tests.bench.program", ready=ready, **env), trace, ready, began)

    def until(self, fact: Callable[[Operator], Any], *, seconds: float = 180, what: str = "") -> Any:
        """Look at the trace until `fact` holds; its value. Raises TimeoutError with the end of the log."""
        deadline = time.monotonic() + seconds
        while True:
            self.look()
            if found := fact(self):
                return found
            self.process.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what or 'what was measured'} did not happen:\n{self.process.tail()}")
            time.sleep(0.05)

    def look(self) -> None:
        """Read what the trace has gained."""
        with self.trace.open() as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith("\n"):
                    break
                self._read += len(line)
                moment, what, which = line.split()
                self.lines.append((float(moment), what, which))

    def first(self, what: str) -> dict[str, float]:
        """Which → when it happened first."""
        found: dict[str, float] = {}
        for moment, kind, which in self.lines:
            if kind == what:
                found.setdefault(which, moment)
        return found

    def count(self, what: str) -> int:
        return sum(kind == what for _, kind, _ in self.lines)

    def is_quiet(self) -> bool:
        """Nothing was written for five seconds."""
        wrote = [moment for moment, what, _ in self.lines if what in ("status", "conflict")]
        return time.monotonic() - max(wrote, default=self.began) > 5

    def rss(self, *, peak: bool = False) -> float:
        """Megabytes (10^6) of memory, now or at its highest."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB", status)
        return int(found[1]) * 1024 / 1e6 if found else 0.0

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def is_ready(self) -> bool:
        """Whether it says so itself."""
        return self.ready.exists() and httpx2.get(f"{self.ready.read_text().strip()}/readyz").status_code == 200
