"""Who is asking: reads the ticket of a request and says what it allows. Called first by every handler but the probes.

It never keeps or logs a ticket. Source of the header: the SDK sends its key as `Authorization: Bearer`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from starlette.requests import Request

from orch.api.ticket import Claims, InvalidTicket, Role, verify
from orch.api.work import StepStage
from orch.gateway.errors import Refusal

_STAGES: Final = {stage.value.lower(): stage.value for stage in StepStage}


class Doorkeeper:
    """Verifies tickets with the key that the operator signs with."""

    def __init__(self, key: bytes, clock: Callable[[], datetime]) -> None:
        self._key = key
        self.clock = clock

    def admit(self, request: Request, *roles: Role) -> Claims:
        """The claims of the request's ticket. Raises Refusal: 401 without a living ticket, 403 for another role."""
        ticket = bearer(request, "a ticket is required: send it")
        try:
            claims = verify(ticket, self._key, now=self.clock())
        except InvalidTicket as err:
            raise Refusal(401, str(err), label="ticket") from None
        if claims.role not in roles:
            raise Refusal(403, f"a ticket of the role {claims.role.value} does not open this", label="role")
        return claims


def bearer(request: Request, wanted: str) -> str:
    """What stands in the header. Raises Refusal, which begins with what is wanted, when nothing does."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise Refusal(401, f"{wanted} as `Authorization: Bearer …`", label="ticket")
    return given.strip()


def stage_of(claims: Claims) -> str:
    """The stage that the signed step name ends in (`<run>-<stage>-<n>`): a label that no client can invent."""
    parts = claims.step.rsplit("-", 2)
    return _STAGES.get(parts[1], "Other") if len(parts) == 3 else "Other"
