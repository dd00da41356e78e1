"""Every name that an audit line can have, and what the line says. `orch.runtime.audit.record` takes no other.

Names are API: one is added, none is renamed. The reference page `docs/reference/audit.md` is made from this.
"""

from __future__ import annotations

from orch.api.documented import Documented


class AuditEvent(Documented):
    """Names of audit lines, in `event`."""

    # people
    APPROVAL_REQUESTED = (
        "approval_requested",
        "People are asked. `gate`, `subject` (digest of what exactly), `requester` (who set it off), `expires`.",
    )
    DECISION_COUNTED = (
        "decision_counted",
        "An answer counts. `who`, `verdict`, `groups` that it claims, `subject` it was given for, `answer` (its digest).",
    )
    DECISION_REFUSED = "decision_refused", "An answer does not count. As `decision_counted`, with the `reason`."
    DECISION_WITHDRAWN = "decision_withdrawn", "An answer was taken back before the question was decided. `who`."
    APPROVAL_SETTLED = (
        "approval_settled",
        "A question is decided. `outcome` (Approved, Denied, Expired), `approved_by`, `denied_by`, `valid_until`.",
    )
    APPROVAL_SUPERSEDED = "approval_superseded", "A question is closed without an answer that counts. `reason`."
    APPROVAL_CONSUMED = (
        "approval_consumed",
        "An approval is used up by the act that it allows, just before it. `gate`, `subject`, `approved_by`.",
    )
    APPROVAL_LAPSED = "approval_lapsed", "An approval was found not to stand any more when it was to be used. `reason`."
    GATE_NOT_REQUIRED = "gate_not_required", "Policy opened a gate, nobody was asked. `gate`, `reason`."
    # runs
    RUN_CREATED = "run_created", "orch made a run of a labelled issue. `issue`, `who` put the label on."
    RUN_STARTED = (
        "run_started",
        "A run has a slot. `issue`, `identity`, `trigger` (Label, Manual, Retry), `who` set it off, `trigger_event`.",
    )
    RUN_PAUSED = "run_paused", "A run does nothing new, for it or its repository is suspended."
    RUN_RESUMED = "run_resumed", "A run that was suspended goes on."
    RUN_CANCELLED = "run_cancelled", "A person has ended a run. `who`, `reason`."
    COMMITS_ADOPTED = (
        "commits_adopted",
        "A person had a run go on with commits that somebody else pushed to its branch. `who`, `branch`, `sha`.",
    )
    RUN_FINISHED = "run_finished", "A run has ended. `outcome`, `cost_usd`, `who` set it off."
    # what a run does
    STEP_STARTED = "step_started", "A work step runs, apart from every credential. `step`, `stage`, `input` (digest)."
    STEP_FINISHED = "step_finished", "A work step has ended. `step`, `state`, `outcome`, `output` (digest), `cost_usd`."
    SAFETY_VIOLATION = "safety_violation", "A guard found something in a change. `guard`, `action`, `path`."
    EFFECT_DONE = "effect_done", "An act on GitHub happened. `effect` (which, e.g. `merge/SHA`), `observed`."
    EFFECT_UNKNOWN = "effect_unknown", "The answer to an act was lost: it is looked up before it is repeated. `effect`."
    PUSHED = "pushed", "Commits were pushed to the run's branch. `branch`, `sha`, `change` (digest) where it is known."
    PULL_REQUEST_OPENED = "pull_request_opened", "The run's pull request is there. `pr`, `url`."
    MERGED = "merged", "The pull request is merged. `pr`, `sha`, `by` (orch, or somebody else)."
    FAREWELL_REFUSED = "farewell_refused", "GitHub refused a last act of a run that ends anyway. `act`, `why`."
    RERUN_REFUSED = (
        "rerun_refused",
        "GitHub does not have an interrupted check run again: a person is asked to. `check`, `why`.",
    )
    SIGN_REFUSED = (
        "sign_refused",
        "GitHub refuses a status or a label that tells how a run stands; it goes on. `effect`, `why`.",
    )
    # repositories
    POLICY_CHANGED = (
        "policy_changed",
        "The operator goes by another policy than before. `mode`, `digest`, `was`. Who changed it: see below.",
    )
    REPOSITORY_PAUSED = "repository_paused", "A repository is suspended: nothing new starts."
    REPOSITORY_RESUMED = "repository_resumed", "A repository is not suspended any more."
    CIRCUIT_OPENED = "circuit_opened", "Too many runs in a row failed: nothing new starts. `reason`."
    CIRCUIT_CLOSED = "circuit_closed", "A person let a repository go on whose runs had failed."
