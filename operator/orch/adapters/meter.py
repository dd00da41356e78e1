"""The gateway's book over HTTP, and the tickets that open it. Implements `orch.ports.Meter`.

Made by `main` with the gateway's address and the key that operator and gateway share. It keeps no figures: the book is the
gateway's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import httpx2
from pydantic import TypeAdapter, ValidationError

from orch.api.ticket import Claims, Role, sign
from orch.api.work import StepInput
from orch.errors import CredentialsRefused, OrchError, Transient
from orch.ports import Usage

_LIFETIME: Final = timedelta(minutes=5)
_TIMEOUT: Final = httpx2.Timeout(20, connect=5)
_USAGE: Final = TypeAdapter(Usage)


def operator_token(key: bytes) -> Callable[[], str]:
    """Mints tickets of the role operator, good for five minutes each; for this module and `adapters.artifacts`."""

    def mint() -> str:
        return sign(Claims(role=Role.OPERATOR, expires=datetime.now(UTC) + _LIFETIME), key)

    return mint


def ticket_refused() -> CredentialsRefused:
    """What a gateway's 401 or 403 means to an operator; for the same two."""
    text = "the gateway refuses the operator's ticket: both must use one key file, and their clocks must agree"
    return CredentialsRefused("TicketRefused", text)


class GatewayMeter:
    """`base_url`: the gateway's `http://host:port`. `key`: what signs tickets, at least 32 bytes."""

    def __init__(self, base_url: str, key: bytes) -> None:
        self._client = httpx2.AsyncClient(base_url=base_url, timeout=_TIMEOUT, trust_env=False)
        self._key = key
        self._token = operator_token(key)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def usage(self, identity: str) -> Usage:
        """What a run has used; zeros for one that is not known.

        Raises Transient when the gateway cannot be reached or fails, CredentialsRefused when the keys differ."""
        if not identity:
            return Usage()  # a run that was not claimed has no name in the book
        headers = {"authorization": f"Bearer {self._token()}"}
        try:
            reply = await self._client.get(f"/usage/{quote(identity, safe='')}", headers=headers)
        except httpx2.HTTPError as err:
            raise Transient("GatewayUnreachable", f"the gateway did not answer ({type(err).__name__})") from err
        if not reply.is_success:
            raise _error(reply.status_code)
        try:
            return _USAGE.validate_json(reply.content)
        except ValidationError as err:
            raise Transient("GatewayFailed", "the gateway's figures cannot be read: is it of another release?") from err

    def ticket(self, step: StepInput, *, input_digest: str, limit_usd: Decimal, expires: datetime) -> str:
        """A ticket for one work step: its model, its input and bundle, and what the whole run may spend."""
        claims = Claims(
            role=Role.STEP,
            expires=expires,
            identity=step.identity,
            step=step.name,
            model=step.model.name,
            max_output_tokens=step.model.max_output_tokens,
            limit_usd=limit_usd,
            reads=(input_digest, step.bundle),
        )
        return sign(claims, self._key)


def _error(status: int) -> OrchError:
    if status in (401, 403):
        return ticket_refused()
    return Transient("GatewayFailed", f"the gateway answered {status} for a run's usage")
