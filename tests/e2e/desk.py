"""What a person at a desk sees and does: the cluster's objects, GitHub's pages and journal. Used by the end-to-end tests."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from hack.projects import TOKENS
from hack.world import People, World
from hack.world.server import Server

T = TypeVar("T")

BOT = "orch-bot"
ALICE = "alice@example.com"
PATIENCE = 240.0
"""Seconds until a wait is given up. Nothing but a fault comes near it, on a busy machine too."""
_LOOK = 0.4
"""Seconds between two looks, which are a quarter of all that the API server is asked."""
_POKE = 3.0


class Desk:
    """One world and the one team namespace in it. Its methods may be called from several threads."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.namespace = world.namespaces[0]
        self._github = httpx2.Client(timeout=30)
        self._people: dict[tuple[str, str], Server] = {}

    def close(self) -> None:
        """Close the connections. The namespaces go with the server: to delete one costs it more than most tests."""
        self._github.close()
        for person in self._people.values():
            person.close()
        self.world.forget_cluster()

    @property
    def maintainer(self) -> People:
        """Somebody who may do everything."""
        return self.world.person(TOKENS["maintainer"])

    @property
    def stranger(self) -> People:
        """Somebody who may read and open issues."""
        return self.world.person(TOKENS["stranger"])

    def log(self, name: str) -> str:
        """All output of a process so far."""
        path = self.world.folder / "logs" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def watch(self, name: str, repository: str, **spec: Any) -> None:
        """Apply an OrchestratedRepo with the bot's credential, and wait until it is Ready."""
        self.world.repository(self.namespace, name, repository, token=TOKENS[BOT], interval="10s", **spec)
        self.until(lambda: self.condition("orchestratedrepos", name, "Ready").get("status") == "True")

    def get(self, plural: str, name: str) -> dict[str, Any]:
        """An object; empty when there is none."""
        return self.world.server.get(plural, name, self.namespace)

    def list(self, plural: str, **labels: str) -> list[dict[str, Any]]:
        """The objects with these labels of the group `orch.dev`."""
        selector = ",".join(f"orch.dev/{key}={value}" for key, value in labels.items())
        return self.world.server.list(plural, self.namespace, labels=selector)

    def patch(self, plural: str, name: str, body: Mapping[str, Any], *, user: str = "", group: str = "") -> None:
        """A merge patch, as the administrator or as another person."""
        self._server_of(user, group).patch(plural, name, self.namespace, body)

    def delete(self, plural: str, name: str) -> None:
        """Delete an object, without waiting until it is gone."""
        self.world.server.delete(plural, name, self.namespace)

    def poke(self, plural: str, name: str) -> None:
        """Ask for a reconcile now, by the annotation that is for it."""
        now = datetime.now(UTC).isoformat()
        self.patch(plural, name, {"metadata": {"annotations": {"orch.dev/requestedAt": now}}})

    def looked(self, plural: str, name: str) -> None:
        """Until the operator has looked at the object once more, and at GitHub for it."""
        wanted = datetime.now(UTC).isoformat()
        # asked again and again, for somebody else's earlier request may take the place of ours
        self.until(
            lambda: self.get(plural, name)["status"].get("lastHandledReconcileAt", "") >= wanted, poke=(plural, name)
        )

    def condition(self, plural: str, name: str, kind: str) -> dict[str, Any]:
        """A condition of an object; empty when it has none of this type."""
        conditions = (self.get(plural, name).get("status") or {}).get("conditions") or []
        return next((entry for entry in conditions if entry["type"] == kind), {})

    def decide(self, approval: str, verdict: str, user: str = ALICE, *, group: str = "") -> None:
        """Answer an Approval under one's own name, as somebody who may; with a group, as a member who claims it."""
        if not self.may_approve(user):
            self.world.bind(user, "orch-approver")
            # the server hears of it a moment later; the operator may be dead, for people answer all the same
            self.until(lambda: self.may_approve(user), all_live=False)
        decision = {"verdict": verdict, "comment": "as I see it", **({"groups": [group]} if group else {})}
        self.patch("approvals", approval, {"spec": {"decisions": {user: decision}}}, user=user, group=group)

    def orch(self, *words: str, user: str) -> str:
        """What `kubectl orch` says to a person. Raises CalledProcessError."""
        place = ("--kubeconfig", str(self.world.kubeconfig), "-n", self.namespace, "--as", user)
        program = Path(sys.executable).with_name("kubectl-orch")
        done = subprocess.run([str(program), *words, *place], check=True, capture_output=True, text=True, timeout=60)
        return done.stdout

    def may_approve(self, user: str) -> bool:
        """What the server says of a person, now."""
        return self._server_of(user).may("approve", "approvals", self.namespace)

    def restart(self, meanwhile: Callable[[], None]) -> None:
        """Stop the operator, have something happen, and start it again."""
        self.world.processes["operator"].stop()
        meanwhile()
        self.world.start_operator()
        self.world.wait_ready()

    def start(self, name: str, repository: str, title: str, body: str) -> Run:
        """The maintainer opens an issue and labels it."""
        number = self.maintainer.open_issue(repository, title, body)
        self.maintainer.label(repository, number, "orch")
        return Run(self, name, repository, number)

    def journal(self, **query: str) -> list[dict[str, Any]]:
        """Every request to GitHub that is over, oldest first."""
        return list(self._ask_journal(**query)["entries"])

    def is_github_idle(self) -> bool:
        """Whether GitHub has carried out all that it was asked for."""
        return bool(self._ask_journal(limit="0")["open"] == 0)

    def _ask_journal(self, **query: str) -> dict[str, Any]:
        reply = self._github.get(f"{self.world.github_url}/_control/journal", params=query)
        reply.raise_for_status()
        return dict(reply.json())

    def control(self, method: str, path: str, /, **body: Any) -> Any:
        """One request to the stand-in's control API."""
        reply = self._github.request(method, f"{self.world.github_url}/_control{path}", json=body or None)
        reply.raise_for_status()
        return reply.json() if reply.content else None

    def refs(self, repository: str) -> dict[str, str]:
        """The repository's branches and their commits."""
        refs = self.control("GET", "/state")["repositories"][repository]["refs"]
        head = "refs/heads/"
        return {ref.removeprefix(head): sha for ref, sha in refs.items() if ref.startswith(head)}

    def until(
        self,
        look: Callable[[], T],
        *,
        poke: tuple[str, str] | None = None,
        what: Callable[[], Any] = str,
        all_live: bool = True,
    ) -> T:
        """The first true answer of `look`. `poke`: an object that is to be reconciled meanwhile; `what`: for the failure;
        `all_live`: a program that is dead makes it fail at once."""
        deadline, poked = time.monotonic() + PATIENCE, 0.0
        while True:
            if found := look():
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"it did not happen in {PATIENCE:.0f} s: {what()}")
            for process in self.world.processes.values() if all_live else ():
                process.check()
            if poke is not None and time.monotonic() - poked > _POKE:
                self.poke(*poke)
                poked = time.monotonic()
            time.sleep(_LOOK)

    def _server_of(self, user: str, group: str = "") -> Server:
        """The API server, as this person."""
        if not user:
            return self.world.server
        if (user, group) not in self._people:
            self._people[user, group] = Server(self.world.kubeconfig, user=user, group=group)
        return self._people[user, group]


class Run:
    """One labelled issue and the run about it."""

    def __init__(self, desk: Desk, repo: str, repository: str, number: int, attempt: int = 1) -> None:
        self.desk, self.repo, self.repository, self.number = desk, repo, repository, number
        self.name = f"{repo}-{number}-{attempt}"

    @property
    def status(self) -> dict[str, Any]:
        """As the API server has it; empty before there is one."""
        return self.desk.get("issueruns", self.name).get("status") or {}

    def condition(self, kind: str) -> dict[str, Any]:
        """A condition; empty when it has none of this type."""
        return next((entry for entry in self.status.get("conditions") or [] if entry["type"] == kind), {})

    def until(self, look: Callable[[dict[str, Any]], T]) -> T:
        """The first true answer of `look` to the run's status; GitHub is looked at meanwhile, as a webhook would have it."""

        repo = ("orchestratedrepos", self.repo)
        self.desk.until(lambda: self.status, poke=repo, what=lambda: f"run {self.name} was not made")
        return self.desk.until(lambda: look(self.status), what=lambda: self.status)

    def waits_for(self, reason: str) -> dict[str, Any]:
        """The status, once the run waits for this."""

        def look(status: dict[str, Any]) -> dict[str, Any] | None:
            waiting = _condition(status, "Waiting")
            return status if waiting.get("status") == "True" and waiting.get("reason") == reason else None

        return self._poking(look)

    def ends(self) -> dict[str, Any]:
        """The status, once the run is over."""
        return self._poking(lambda status: status if status.get("completionTime") else None)

    def _poking(self, look: Callable[[dict[str, Any]], T]) -> T:
        self.until(bool)
        return self.desk.until(lambda: look(self.status), poke=("issueruns", self.name), what=lambda: self.status)

    def comments(self) -> list[str]:
        """orch's comments on the issue."""
        found = self.desk.maintainer.ask("GET", f"/repos/{self.repository}/issues/{self.number}/comments")
        return [entry["body"] for entry in found if entry["user"]["login"] == BOT]

    def pulls(self) -> list[dict[str, Any]]:
        """The pull requests that were ever opened for this issue."""
        found = self.desk.maintainer.ask("GET", f"/repos/{self.repository}/pulls?state=all&per_page=100")
        return [pull for pull in found if pull["head"]["ref"].startswith(f"orch/issue-{self.number}-")]

    def labels(self) -> set[str]:
        """The labels on the issue."""
        found = self.desk.maintainer.ask("GET", f"/repos/{self.repository}/issues/{self.number}/labels")
        return {label["name"] for label in found}

    def statuses(self) -> list[dict[str, Any]]:
        """What was said of the head of its pull request under orch's context, oldest first."""
        head = self.pulls()[0]["head"]["sha"]
        found = self.desk.maintainer.ask("GET", f"/repos/{self.repository}/commits/{head}/statuses?per_page=100")
        return [entry for entry in reversed(found) if entry["context"] == "orch"]

    def pull_path(self) -> str:
        """The API's path of its pull request."""
        return f"/repos/{self.repository}/pulls/{self.pulls()[0]['number']}"

    def merges(self) -> list[dict[str, Any]]:
        """The requests that merged its pull request, whether or not their answer found anybody."""
        paths = {f"/repos/{self.repository}/pulls/{pull['number']}/merge" for pull in self.pulls()}
        merged = self.desk.journal(method="PUT")
        return [entry for entry in merged if entry["path"] in paths and entry["acted_status"] == 200]

    def pushes(self) -> list[dict[str, Any]]:
        """orch's pushes that moved a branch of the repository so far, of all its runs. One that was cut short moved nothing."""
        path = f"/{self.repository}.git/git-receive-pack"
        posted = self.desk.journal(method="POST", account=BOT)
        return [entry for entry in posted if entry["path"].endswith(path) and entry["moved"]]

    def approval(self, gate: str, *, after: str = "") -> str:
        """The name of its open question at this gate, once there is one; `after`: another one than this."""
        return self._poking(
            lambda status: next(
                (
                    entry["name"]
                    for entry in status.get("approvals") or []
                    if entry["gate"] == gate and entry["outcome"] == "Pending" and entry["name"] != after
                ),
                None,
            )
        )


def together(*scenes: Callable[[], None]) -> None:
    """Play scenes at the same time; all failures are raised together, each under its scene's name."""
    with ThreadPoolExecutor(len(scenes)) as pool:
        running = {scene.__name__: pool.submit(scene) for scene in scenes}
    failures = []
    for name, future in running.items():
        error = future.exception()
        if error is not None:
            error.add_note(f"scene {name}")
            failures.append(error)
    if failures:
        raise BaseExceptionGroup(f"{len(failures)} of {len(scenes)} scenes failed", failures)


def _condition(status: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return next((entry for entry in status.get("conditions") or [] if entry["type"] == kind), {})
