"""Settings of the operator's process, read once from the environment (`ORCH_…`). Secrets are files, never variables."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an installation decides. Every field is the environment variable `ORCH_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="ORCH_", use_attribute_docstrings=True, extra="ignore")

    kubeconfig: Path | None = None
    """The cluster to work in. Default: the service account of the pod, else KUBECONFIG or ~/.kube/config."""
    namespaces: tuple[str, ...] = ()
    """Namespaces to watch. Default: all."""
    operator_namespace: str = "orch-system"
    """Where the operator's own Lease lives."""
    suffix: str = ""
    """What the names of this installation's admission policies end with (`orch manifests --suffix`). Default: nothing."""
    identity: str = ""
    """The name under which this process holds the Lease. Default: host name and process id."""
    installation: str = "default"
    """Goes into every run's identity. Two installations on one repository need two names."""
    data_dir: Path = Path("/var/lib/orch")
    """Mirrors and, for the subprocess runner, the folders of work steps. A cache: it may be lost."""
    hosts_file: Path | None = None
    """YAML list of code hosts. Default: github.com alone."""
    gateway_url: str = "http://127.0.0.1:8443"
    """The model gateway's address for the operator."""
    gateway_socket: Path = Path("/run/orch-gateway/gateway.sock")
    """The gateway's Unix socket: the only way out of a work step's sandbox, which sees its folder, so nothing else may be
    in it. Default: `/run/orch-gateway/gateway.sock`."""
    ticket_key_file: Path = Path("/etc/orch/ticket.key")
    """Key that signs tickets; shared with the gateway. At least 32 bytes."""
    default_model: str = "claude-sonnet-5"
    """The model where spec.model.name says none."""
    sandbox_toolchains: tuple[Path, ...] = ()
    """Read-only folders that the sandbox sees besides /usr; `<folder>/bin` goes on its PATH."""
    insecure: bool = False
    """Run work steps without a sandbox where bubblewrap does not work. Only for code that you trust."""
    max_active_runs: int = Field(default=100, ge=1)
    """Runs between their start and their pull request, of all repositories together. A repository's own limit is
    `spec.concurrency.maxActiveRuns`."""
    workers: int = Field(default=16, ge=1, le=256)
    """Reconciles that run at the same time, for each kind."""
    health_port: int = Field(default=8080, ge=0, le=65535)
    """Port of /healthz, /readyz and /metrics on loopback or the pod's address; 0 takes a free one."""
    health_host: str = "127.0.0.1"
    """Address of the health port."""
    ready_file: Path | None = None
    """Written with the health address once the operator is ready. For scripts."""
    settle: timedelta = timedelta(seconds=60)
    """How long a write to GitHub whose answer was lost may still take effect: only then is it looked for a last time and
    repeated. GitHub ends a request after 10 seconds; a proxy may hold it longer. Shorter risks doing things twice."""
    resync: timedelta = timedelta(minutes=10)
    """How often everything is listed, to find what a watch has lost."""
    upkeep: timedelta = Field(default=timedelta(days=1), ge=timedelta(seconds=1), le=timedelta(days=1))
    """How often the gateway's old artifacts are removed, but for those that unfinished runs refer to; the first time five
    minutes after the start, or sooner if this is shorter. At most a day: the gateway's shortest retention is two."""
    log_level: str = "info"
    """debug, info, warning or error."""
    log_format: str = "json"
    """json or console."""
