"""Conditions of an object, as KEP-1623 has them. Called by reconcilers and stages; decides nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol

from orch.api.v1alpha1.common import Condition, ConditionStatus, ObjectMeta, ObjectStatus

_MESSAGE_LIMIT: Final = 1024


class HasConditions(Protocol):
    """An object with metadata and conditions."""

    @property
    def metadata(self) -> ObjectMeta: ...
    @property
    def status(self) -> ObjectStatus: ...


def set_condition(
    obj: HasConditions, kind: str, status: bool | ConditionStatus | None, reason: str, message: str, now: datetime
) -> None:
    """Put a condition in its place. `lastTransitionTime` moves only when `status` flips (KEP-1623).

    `kind` is the condition's type; `status` None means Unknown. A message over 1024 characters is cut. Raises
    ValidationError for a reason that is not CamelCase, as the server would refuse it.
    """
    old = find_condition(obj, kind)
    value = _status(status)
    new = Condition(
        type=str(kind),
        status=value,
        observed_generation=obj.metadata.generation,
        last_transition_time=old.last_transition_time if old and old.status is value else now,
        reason=str(reason),
        message=message if len(message) <= _MESSAGE_LIMIT else message[: _MESSAGE_LIMIT - 1] + "…",
    )
    known = {condition.type: condition for condition in obj.status.conditions}
    known[new.type] = new
    obj.status.conditions = list(known.values())


def remove_condition(obj: HasConditions, kind: str) -> None:
    """Take a condition away; one that is not there is no error."""
    obj.status.conditions = [condition for condition in obj.status.conditions if condition.type != kind]


def find_condition(obj: HasConditions, kind: str) -> Condition | None:
    """The condition of this type, if it was ever set."""
    return next((condition for condition in obj.status.conditions if condition.type == kind), None)


def is_true(obj: HasConditions, kind: str) -> bool:
    """Whether the condition is set and `True`."""
    condition = find_condition(obj, kind)
    return condition is not None and condition.status is ConditionStatus.TRUE


def is_false(obj: HasConditions, kind: str) -> bool:
    """Whether the condition is set and `False`; an absent or unknown one is not."""
    condition = find_condition(obj, kind)
    return condition is not None and condition.status is ConditionStatus.FALSE


def _status(status: bool | ConditionStatus | None) -> ConditionStatus:
    if status is None:
        return ConditionStatus.UNKNOWN
    if isinstance(status, bool):
        return ConditionStatus.TRUE if status else ConditionStatus.FALSE
    return status
