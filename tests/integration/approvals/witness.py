"""What the test knows by itself, and what orch did by the host's journal and bare repository: one is held against the other.

Nothing here is read from what the operator says of itself. What people were shown is the question's subject, which nobody can
change; what they said is what the API server took from them. Holds no test.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.integration.approvals.host import NAME, OWNER, Repository
from tests.integration.approvals.process import INSTALLATION

from orch.policy.identity import branch_name, run_identity, run_name

STALE = "for another subject"
_MOST_ATTEMPTS = 9
_CODE = re.compile(r"/(git/|contents/|merges$|update-branch$|graphql$)")


@dataclass(frozen=True)
class Answer:
    """What the API server took from a person. `after`: the newest request of the host's journal at that time."""

    verdict: str
    groups: frozenset[str]
    after: int


@dataclass(frozen=True)
class Shown:
    """What a question showed people: which run asks at which gate, about which change."""

    run: str
    gate: str
    digest: str


@dataclass
class Books:
    """What people were shown, what they said, and what the rule is now."""

    quorum: int
    shown: dict[str, Shown] = field(default_factory=dict)
    answers: dict[str, dict[str, Answer]] = field(default_factory=dict)
    """By Approval and user."""
    verbs: set[str] = field(default_factory=set)
    cancelled: dict[str, int] = field(default_factory=dict)
    """By run, the newest request at the time of its cancellation: from then on it does nothing."""
    wrong: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    """What orch did to branches, in order: push and merge."""

    def approved(self, shown: Shown, act: int) -> bool:
        """Whether, before the act of this number, enough people with the verb had seen exactly this, and none of them was
        against it."""
        return any(
            self._is_approved(self.answers.get(name, {}), act) for name, other in self.shown.items() if other == shown
        )

    def _is_approved(self, answers: Mapping[str, Answer], act: int) -> bool:
        counted = [
            answer
            for user, answer in answers.items()
            if user in self.verbs and answer.verdict != STALE and answer.after < act
        ]
        yes = [answer for answer in counted if answer.verdict == "Approve"]
        return len(yes) == len(counted) >= self.quorum and any("security" in answer.groups for answer in yes)


class Witness:
    """Looks at the host after each act of the operator."""

    def __init__(self, repository: Repository, repo: str, number: int, books: Books) -> None:
        self._repository, self._books, self._pushed = repository, books, set[str]()
        self._seen = repository.github.last()
        self._branches = {
            branch_name("orch/", number, _identity(repository, number, attempt)): run_name(repo, number, attempt)
            for attempt in range(1, _MOST_ATTEMPTS + 1)
        }

    def branch(self) -> str:
        """The newest branch of orch's that is there; else the name of the one that comes first."""
        names = list(self._branches)
        return next((name for name in reversed(names) if self._repository.tip(name) is not None), names[0])

    def look(self) -> None:
        """Hold what orch has done since the last look against the books."""
        last = self._repository.github.last()
        for entry in self._repository.github.journal(self._seen, last):
            self._judge(entry)
        self._seen = last

    def _judge(self, entry: Mapping[str, Any]) -> None:
        method, path, seq = entry["method"], entry["path"], entry["seq"]
        if entry["moved"]:
            for ref, (old, new) in entry["moved"].items():
                self._push(ref.removeprefix("refs/heads/"), old, new, seq)
        elif method == "GET" or (entry["acted_status"] or 500) >= 300:
            return
        elif found := re.search(r"/pulls/(\d+)/merge$", path):
            self._merge(int(found[1]), str(entry["request_body"]["sha"]), seq)
        elif _CODE.search(path) and not self._is_harmless(method, path, entry["request_body"]):
            self._books.wrong.append(f"{method} {path} may change what is on a branch")

    def _is_harmless(self, method: str, path: str, body: Any) -> bool:
        """A question to GraphQL, or the deletion of a branch of ours."""
        if path.endswith("/graphql"):
            return "mutation" not in str(body)
        return method == "DELETE" and path.partition("/git/refs/heads/")[2] in self._branches

    def _push(self, branch: str, old: str | None, new: str | None, seq: int) -> None:
        run = self._branches.get(branch)
        if run is None or new is None:
            self._books.wrong.append(f"a push that moved {branch} from {old} to {new}")
            return
        if old is not None and old not in self._pushed:
            self._books.wrong.append(f"a push over somebody else's {old} on {branch}")
        self._pushed.add(new)
        main = self._repository.tip("main") or ""
        self._hold("push", Shown(run, "Publish", self._digest(main, new)), seq)

    def _merge(self, number: int, head: str, seq: int) -> None:
        pull = self._repository.github.ask(OWNER, "GET", f"/repos/{self._repository.name}/pulls/{number}")
        run = self._branches.get(pull["head"]["ref"])
        if run is None or head not in self._pushed:
            self._books.wrong.append(f"the merge of {head}, which orch has not pushed")
            return
        before = f"{pull['merge_commit_sha']}^1"
        self._hold("merge", Shown(run, "Merge", self._digest(before, head)), seq)

    def _hold(self, act: str, shown: Shown, seq: int) -> None:
        if self._books.cancelled.get(shown.run, seq) < seq:
            self._books.wrong.append(f"{act} of {shown} after its run was cancelled")
        if not self._books.approved(shown, seq):
            self._books.wrong.append(f"{act} of {shown}, which was not approved")
        self._books.done.append(act)

    def _digest(self, base: str, head: str) -> str:
        """Of what `head` changes since it left `base`. Written apart from `orch.mirror.trees`, whose digest people are shown."""
        start = self._repository.git("merge-base", base, head).decode().strip()
        raw = self._repository.git("diff-tree", "-r", "--no-renames", "--full-index", "--raw", "-z", start, head)
        return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _identity(repository: Repository, number: int, attempt: int) -> str:
    return run_identity(
        installation=INSTALLATION, host=NAME, repository_id=repository.id, issue=number, attempt=attempt
    )
