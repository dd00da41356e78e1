"""Settings of the gateway's process, read once from the environment (`ORCH_GATEWAY_…`). Secrets are files, never variables."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "ORCH_GATEWAY_"


class GatewaySettings(BaseSettings):
    """What an installation decides. Every field is the environment variable `ORCH_GATEWAY_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, use_attribute_docstrings=True, extra="ignore")

    data_dir: Path = Path("/var/lib/orch/gateway")
    """The book and the artifacts. Not a cache: whoever deletes it forgets what runs have spent. One gateway a folder."""
    ticket_key_file: Path = Path("/etc/orch/ticket.key")
    """Key that verifies tickets; shared with the operator. At least 32 bytes."""
    upstream_url: str = "https://api.anthropic.com"
    """Address of the Messages API, up to `/v1`. Plain HTTP only on loopback."""
    upstream_key_file: Path = Path("/etc/orch/model.key")
    """The model service's key, read anew for each call. Without it the gateway runs but is not ready."""
    kubeconfig: Path | None = None
    """The cluster that says which people may read transcripts. Default: the service account of the pod; else nobody may."""
    unix_socket: Path = Path("/run/orch-gateway/gateway.sock")
    """Where work steps reach the gateway from their sandboxes. At most 107 bytes (unix(7)), in a folder of its own."""
    listen_host: str = "127.0.0.1"
    """Address for the operator. Loopback only: tickets must not cross a network in clear text."""
    listen_port: int = Field(default=8443, ge=0, le=65535)
    """Port for the operator; 0 takes a free one."""
    prices_file: Path | None = None
    """YAML in the form of the packaged `prices.yaml`; its entries win over those."""
    artifact_bytes: int = Field(default=300_000_000, gt=0)
    """Size of one artifact."""
    step_bytes: int = Field(default=1_000_000_000, gt=0)
    """What one work step may store."""
    retention: timedelta = Field(default=timedelta(days=30), ge=timedelta(days=2))
    """How long an artifact is kept after it was last stored or used. The operator uses all that unfinished runs refer to once
    a day, and only then has the rest removed. At least 2 days."""
    ready_file: Path | None = None
    """Written with the address for the operator once the gateway listens. For scripts."""
    log_level: str = "info"
    """debug, info, warning or error."""
    log_format: str = "json"
    """json or console."""

    @field_validator("listen_host")
    @classmethod
    def _is_loopback(cls, host: str) -> str:
        try:
            is_local = ipaddress.ip_address(host).is_loopback
        except ValueError:
            is_local = False
        if not is_local:
            raise ValueError(f"{host!r} is no loopback address (127.0.0.1 or ::1): there is no TLS on this port")
        return host

    @field_validator("upstream_url")
    @classmethod
    def _is_private_or_encrypted(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("plain http is for loopback only: the model key would cross the network in clear text")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("not an address like https://api.anthropic.com")
        return url.rstrip("/")
