"""What can be set about the stand-in itself: limits, checks, visibility. Read from the seed's `settings:` or the
command line.

Who calls it: `state.State`, and through it the middlewares. It never holds data of repositories (see `records`).
"""

from __future__ import annotations

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LimitSettings(BaseModel):
    """GitHub's documented limits. Source: GitHub Docs, "Rate limits for the REST API"."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = True
    """False turns every limit off; the headers are still sent, and tell of a quota that nothing was taken from."""
    primary_per_hour: int = Field(default=5000, ge=0)
    """Requests per hour and account."""
    anonymous_per_hour: int = Field(default=60, ge=0)
    """Requests per hour without a token."""
    points_per_minute: int = Field(default=900, ge=1)
    """Secondary limit: a read counts 1, a write 5."""
    concurrent: int = Field(default=100, ge=1)
    """Requests under way at once."""
    content_per_minute: int = Field(default=80, ge=1)
    """Content-creating requests per minute."""
    content_per_hour: int = Field(default=500, ge=1)
    """Content-creating requests per hour."""
    primary_status: Literal[403, 429] = 403
    """Status of an answer over the primary limit; GitHub documents both."""


class WebhookSettings(BaseModel):
    """How events are delivered to hooks."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = True
    timeout: float = Field(default=10.0, gt=0)
    """Seconds until a delivery counts as failed. GitHub waits 10."""
    max_deliveries: int = Field(default=1000, ge=1)
    """Deliveries kept per hook for the deliveries API."""


class CheckSettings(BaseModel):
    """How the repositories' own commands run."""

    model_config = ConfigDict(extra="forbid")

    workers: int = Field(default=1, ge=1, le=32)
    """Checks that run at once."""
    path: str = Field(default_factory=lambda: os.environ.get("PATH", os.defpath))
    """PATH of the commands. Default: the stand-in's own."""
    sandbox: Literal["auto", "bwrap", "none"] = "auto"
    """`bwrap`: no network and no sight of the data directory, or an error; `auto`: that where it works."""
    log_limit: int = Field(default=4 * 2**20, ge=1024)
    """Bytes of output kept of one run; the rest is counted and dropped."""


class Settings(BaseModel):
    """All settings, with the defaults that are GitHub's where GitHub documents one."""

    model_config = ConfigDict(extra="forbid")

    limits: LimitSettings = Field(default_factory=LimitSettings)
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings)
    checks: CheckSettings = Field(default_factory=CheckSettings)
    record_bodies: bool = False
    """Whether the journal keeps response bodies (for the conformance test)."""
    visibility_delay: float = Field(default=0.0, ge=0)
    """Seconds between a push and the moment that pull requests and checks show it."""
    max_push_bytes: int = Field(default=512 * 2**20, ge=1)
    """A larger push is refused with 413."""
