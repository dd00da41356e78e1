"""One object that breaks each rule of the schemas, and one beside it that does not. Holds no test."""

from dataclasses import dataclass

from tests.integration.api.documents import ABSENT, Change


@dataclass(frozen=True)
class Case:
    """Changes of a sample: `fine` is accepted, `wrong` is refused at `path` with `message`."""

    sample: str
    path: str
    message: str
    fine: Change
    wrong: Change

    def __str__(self) -> str:
        return f"{self.sample} {self.path} {self.message}"


def _durations(path: str, low: str, high: str, *, below: str, above: str, at: str = "") -> list[Case]:
    where = at or path
    return [
        Case("minimal", where, f"must be at least {low}", {path: low}, {path: below}),
        Case("minimal", where, f"must be at most {high}", {path: high}, {path: above}),
    ]


def _freeze(**changes: str) -> Change:
    return {"spec.merge.freezes": [{"name": "x", "schedule": "0 16 * * 5", "duration": "64h", **changes}]}


def _rule(**changes: object) -> Change:
    return {"spec.approvals.rules": [{"name": "x", "match": {"gates": ["Merge"]}, "quorum": 2, **changes}]}


_USERS = "quorum exceeds the number of users"
_LABELS = "a label cannot be wanted (anyOf, allOf) and unwanted (noneOf) at once"
_LISTED = "GitHub cannot list issues by a label with a comma: rename the label, or ask for it in allOf"
_ONLY = "this guard can be set to Approve or Deny only"
_TRIGGER = "Manual and Retry name a Kubernetes user, Label a GitHub login"
_S = "spec.issues.selector"
_T = "spec.pipeline.timeouts"

RULES: list[Case] = [
    Case(
        "minimal",
        "",
        "name must be at most 40 characters",
        {"metadata.name": "n" * 40},
        {"metadata.name": "n" * 41},
    ),
    *_durations("spec.interval", "10s", "24h", below="9999ms", above="24h0.001s"),
    *_durations(f"{_T}.analyse", "10s", "24h", below="9s", above="1441m"),
    *_durations(f"{_T}.plan", "10s", "24h", below="9s", above="25h"),
    *_durations(f"{_T}.implement", "10s", "24h", below="9s", above="25h"),
    *_durations(f"{_T}.test", "10s", "24h", below="0s", above="25h"),
    *_durations(f"{_T}.checks", "1m", "168h", below="59s", above="169h"),
    *_durations(f"{_T}.run", "10m", "720h", below="9m", above="721h"),
    *_durations("spec.approvals.timeout", "5m", "720h", below="4m59s", above="721h"),
    *_durations("spec.approvals.validFor", "5m", "720h", below="1m", above="721h"),
    Case(
        "minimal",
        "spec.approvals",
        _USERS,
        {"spec.approvals": {"users": ["alice"], "groups": ["dev"], "quorum": 2}},
        {"spec.approvals": {"users": ["alice"], "quorum": 2}},
    ),
    Case("minimal", "spec.approvals.rules[0]", _USERS, _rule(users=[]), _rule(users=["alice"])),
    Case("minimal", "spec.approvals.rules[0]", _USERS, _rule(users=["alice", "bob"]), _rule(users=["alice"])),
    Case(
        "minimal",
        "spec.approvals.rules[0].match",
        "match needs at least one criterion",
        _rule(match={"minRisk": "Low"}),
        _rule(match={"gates": []}),
    ),
    Case("minimal", _S, _LABELS, {f"{_S}.anyOf": ["go"]}, {f"{_S}.anyOf": ["blocked"]}),
    Case(
        "minimal",
        _S,
        _LABELS,
        {f"{_S}.allOf": ["go"], f"{_S}.noneOf": []},
        {f"{_S}.allOf": ["x"], f"{_S}.noneOf": ["x"]},
    ),
    Case(
        "minimal",
        _S,
        _LISTED,
        {f"{_S}.anyOf": ["go"], f"{_S}.allOf": ["good, first"]},
        {f"{_S}.anyOf": ["go", "good, first"]},
    ),
    Case(
        "minimal",
        "spec.pipeline.workingDirectory",
        "must stay inside the repository",
        {"spec.pipeline.workingDirectory": "a/..b/c.."},
        {"spec.pipeline.workingDirectory": "a/../../etc"},
    ),
    Case(
        "minimal",
        "spec.model.overrides[0]",
        "an override sets name, maxOutputTokens or both",
        {"spec.model.overrides": [{"stage": "Plan", "maxOutputTokens": 256}]},
        {"spec.model.overrides": [{"stage": "Plan"}]},
    ),
    *(
        Case(
            "minimal",
            "spec.guards.rules[0]",
            _ONLY,
            {"spec.guards.rules": [{"guard": guard, "action": "Approve"}]},
            {"spec.guards.rules": [{"guard": guard, "action": "Allow"}]},
        )
        for guard in ("SecretFound", "Submodule", "Symlink", "Workflows")
    ),
    Case(
        "minimal",
        "spec.guards",
        "a path cannot be in protectedPaths and exemptPaths at once",
        {"spec.guards.protectedPaths": ["a/**"], "spec.guards.exemptPaths": ["a/b"]},
        {"spec.guards.protectedPaths": ["a/**", "x"], "spec.guards.exemptPaths": ["x"]},
    ),
    Case(
        "minimal",
        "spec.publish.commit",
        "authorName and authorEmail go together",
        {"spec.publish.commit": {"authorName": "o", "authorEmail": "o@acme.example"}},
        {"spec.publish.commit": {"authorName": "o"}},
    ),
    Case(
        "minimal",
        "spec.merge",
        "a check cannot be in requiredChecks and ignoredChecks at once",
        {"spec.merge.requiredChecks": ["build"], "spec.merge.ignoredChecks": ["nightly"]},
        {"spec.merge.requiredChecks": ["build"], "spec.merge.ignoredChecks": ["nightly", "build"]},
    ),
    Case(
        "minimal",
        "spec.merge.freezes[0].timeZone",
        "must be an IANA time zone",
        _freeze(timeZone="Europe/Berlin"),
        _freeze(timeZone="Local"),
    ),
    Case(
        "minimal",
        "spec.merge.freezes[0].duration",
        "must be at least 1m",
        _freeze(duration="1m"),
        _freeze(duration="1s"),
    ),
    Case(
        "minimal",
        "spec.merge.freezes[0].duration",
        "must be at most 8784h",
        _freeze(duration="8784h"),
        _freeze(duration="8785h"),
    ),
    Case(
        "minimal",
        "spec",
        "gate Merge may be Never in mode Autonomous only",
        {"spec.mode": "Autonomous", "spec.approvals.gates": [{"gate": "Merge", "when": "Never"}]},
        {"spec.approvals.gates": [{"gate": "Plan", "when": "Never"}, {"gate": "Merge", "when": "Never"}]},
    ),
    Case(
        "minimal",
        "spec",
        "publish.labels must not hold merge.blockerLabel: nothing could ever be merged",
        {"spec.publish.labels": ["orch"], "spec.merge.blockerLabel": "stop"},
        {"spec.publish.labels": ["orch", "stop"], "spec.merge.blockerLabel": "stop"},
    ),
    Case(
        "issuerun",
        "",
        "name must be at most 52 characters",
        {"metadata.name": "n" * 52},
        {"metadata.name": "n" * 53},
    ),
    Case(
        "issuerun",
        "spec.trigger",
        _TRIGGER,
        {"spec.trigger": {"type": "Label", "githubLogin": "octocat"}},
        {"spec.trigger": {"type": "Label", "username": "alice"}},
    ),
    Case("issuerun", "spec.trigger", _TRIGGER, {}, {"spec.trigger.username": ABSENT}),
    Case(
        "issuerun",
        "spec",
        "a Retry names retryOf",
        {"spec.trigger.type": "Retry", "spec.retryOf": {"name": "payments-123-0"}},
        {"spec.trigger.type": "Retry"},
    ),
    Case("issuerun", "spec", "only a Retry names retryOf", {}, {"spec.retryOf": {"name": "payments-123-0"}}),
]


@dataclass(frozen=True)
class Move:
    """A stored sample is changed by a merge patch: `fine` is taken, `wrong` is refused at `path` with `message`."""

    sample: str
    path: str
    message: str
    wrong: Change
    start: Change
    fine: Change

    def __str__(self) -> str:
        return f"{self.sample} {self.path} {self.message}"


def _fixed(
    sample: str, field: str, wrong: object, fine: Change, message: str = "", start: Change | None = None
) -> Move:
    path = f"spec.{field}"
    return Move(sample, path, message or f"{field} is immutable", {path: wrong}, start or {}, fine)


_REPO: Change = {"spec.suspend": True, "spec.mode": "Manual"}
_RUN: Change = {"spec.suspend": True}
_APPROVAL: Change = {"spec.decisions": {"oidc:alice@acme.example": {"verdict": "Approve", "comment": "fine"}}}
_POINT: Change = {"metadata.labels": {"kept": "yes"}}
_OTHER = "sha256:" + "9" * 64

MOVES: list[Move] = [
    _fixed("minimal", "repository", "acme/other", _REPO),
    _fixed("minimal", "host", "ghe.acme.example", _REPO),
    _fixed("issuerun", "repositoryRef", {"name": "other"}, _RUN),
    _fixed("issuerun", "issueNumber", 124, _RUN),
    _fixed("issuerun", "attempt", 2, _RUN),
    Move("issuerun", "spec", "trigger is immutable", {"spec.trigger.username": "mallory"}, {}, _RUN),
    _fixed("issuerun", "overrides", {"budgetUSD": "9"}, _RUN),
    _fixed(
        "issuerun",
        "retryOf",
        {"name": "other"},
        _RUN,
        start={"spec.trigger.type": "Retry", "spec.retryOf": {"name": "payments-123-0"}},
    ),
    Move("issuerun", "spec", "retryOf and overrides are immutable", {"spec.overrides": None}, {}, _RUN),
    _fixed(
        "issuerun",
        "cancel",
        {"username": "alice", "reason": "changed my mind"},
        _RUN,
        "cancel cannot be changed or taken back",
        {"spec.cancel": {"username": "alice", "reason": "wrong issue"}},
    ),
    Move(
        "issuerun",
        "spec",
        "cancel cannot be taken back",
        {"spec.cancel": None},
        {"spec.cancel": {"username": "alice", "reason": "wrong issue"}},
        _RUN,
    ),
    _fixed("approval", "target", {"uid": "other"}, _APPROVAL),
    _fixed("approval", "repositoryRef", {"name": "other"}, _APPROVAL),
    _fixed("approval", "gate", "Publish", _APPROVAL),
    _fixed("approval", "subject", {"changeDigest": _OTHER}, _APPROVAL),
    _fixed("approval", "policy", {"quorum": 1}, _APPROVAL),
    _fixed("approval", "expireTime", "2027-01-01T00:00:00Z", _APPROVAL),
    _fixed("approval", "risk", "Low", _APPROVAL),
    _fixed("approval", "requester", {"username": "mallory"}, _APPROVAL),
    _fixed("approval", "review", {"title": "Something harmless"}, _APPROVAL),
    _fixed("rollbackpoint", "repositoryRef", {"name": "other"}, _POINT),
    _fixed("rollbackpoint", "runRef", {"name": "other"}, _POINT),
    _fixed("rollbackpoint", "baseBranch", "other", _POINT),
    _fixed("rollbackpoint", "pullRequestNumber", 457, _POINT),
    _fixed("rollbackpoint", "description", "other", _POINT),
    _fixed("rollbackpoint", "merge", {"sha": "d" * 40}, _POINT),
    Move(
        "rollbackpoint",
        "spec",
        "the recorded merge is immutable",
        {"spec.description": None},
        {},
        _POINT,
    ),
]
