"""A world to measure in, and what is read off it: the API server's own counters, the journal, the gateway's log."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from hack.binaries import ensure
from hack.servers import ControlPlane
from hack.world import World

NAMESPACE = "bench"
Seed = Callable[[Path], Mapping[str, Any]]
Scripts = Callable[[Path], list[Path]]
_WRITES = re.compile(r"apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>[0-9.e+]+)")
_COUNTED = {"issueruns", "approvals", "rollbackpoints", "configmaps", "events"}


@contextmanager
def scene(
    seed: Seed,
    scripts: Scripts,
    *,
    pace: Mapping[str, float] | None = None,
) -> Iterator[World]:
    """A control plane and a world around it, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as name:
        folder, programs = Path(name), ensure(lambda _text: None)
        with ControlPlane(folder / "controlplane", programs) as plane:
            world = World(
                folder,
                kubeconfig=plane.kubeconfig,
                kubectl=programs["kubectl"],
                seed=seed(folder),
                scripts=scripts(folder),
                namespaces=[NAMESPACE],
                pace=pace,
            )
            with world:
                yield world


def kubernetes_writes(world: World) -> int:
    """Writes of objects that runs cause, as the API server counted them. Leases and the repositories' own are left out."""
    total = 0.0
    for found in _WRITES.finditer(world.kubectl("get", "--raw", "/metrics")):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', found["labels"]))
        ours = labels["resource"] in _COUNTED and labels["verb"] in ("POST", "PUT", "PATCH")
        if ours and labels["code"].startswith("2") and labels.get("dry_run", "") == "":
            total += float(found["count"])
    return round(total)


def quota_requests(world: World, account: str, since: int = 0) -> tuple[int, int]:
    """Requests of an account that GitHub counts (304 are free, git is not REST), and the journal's last number."""
    document = httpx2.get(f"{world.github_url}/_control/journal", params={"since": since, "account": account}).json()
    counted = [entry for entry in document["entries"] if entry["status"] != 304 and ".git/" not in entry["path"]]
    return len(counted), int(document["last"])


def model_seconds(world: World) -> float:
    """How long the gateway waited for the model, all calls together."""
    return sum(float(entry["duration"]) for entry in logged(world, "gateway") if entry["event"] == "track_request")


def logged(world: World, program: str) -> list[dict[str, Any]]:
    """What a program has logged, but for what is no JSON."""
    lines = (world.folder / "logs" / f"{program}.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def wait_for(what: Callable[[], Any], *, seconds: float, every: float = 0.3) -> Any:
    """Until `what` is true; its value. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise TimeoutError("what was measured did not happen")
        time.sleep(every)
    return found
