"""Run-scoped tickets: what a work step shows to the gateway instead of a credential. Pure: claims, a key, a clock value.

The operator signs, the gateway verifies; both read the key from a file. A ticket names one step of one run, what it
may spend and read, and when it dies. Format: `base64url(claims JSON).base64url(HMAC-SHA256)`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, ValidationError


class Role(StrEnum):
    """STEP: models and artifacts of one step. OPERATOR: all artifacts and usage, no models."""

    STEP = "step"
    OPERATOR = "operator"


class Claims(BaseModel):
    """What a ticket says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role
    expires: datetime
    identity: str = ""
    """The run's identity: the ledger's key for `limit_usd`."""
    step: str = ""
    model: str = ""
    """The only model that may be called."""
    max_output_tokens: int = 0
    limit_usd: Decimal = Decimal(0)
    """What the whole run may spend, reserved before each call."""
    reads: tuple[str, ...] = ()
    """Digests of the artifacts that the step may read."""


class InvalidTicket(Exception):
    """The ticket is malformed, forged or expired; the text never holds the ticket."""


def sign(claims: Claims, key: bytes) -> str:
    """Make a ticket. `key`: at least 32 random bytes."""
    body = base64.urlsafe_b64encode(claims.model_dump_json().encode())
    return f"{body.decode()}.{_mac(body, key)}"


def verify(ticket: str, key: bytes, *, now: datetime) -> Claims:
    """Return the claims of a genuine ticket that is still alive. Raises InvalidTicket."""
    body, _, mac = ticket.partition(".")
    if not hmac.compare_digest(_mac(body.encode(), key).encode(), mac.encode()):
        raise InvalidTicket("the ticket is not genuine")
    try:
        claims = Claims.model_validate_json(base64.urlsafe_b64decode(body))
    except (ValidationError, binascii.Error) as err:
        raise InvalidTicket("the ticket cannot be read") from err
    if claims.expires <= now:
        raise InvalidTicket("the ticket has expired")
    return claims


def _mac(body: bytes, key: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, body, hashlib.sha256)).decode()
