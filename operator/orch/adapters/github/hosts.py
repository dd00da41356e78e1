"""The operator's list of code hosts. A repository names an entry, never an address: a tenant cannot send a token elsewhere.

Read once by `main`. File format (YAML; github.com is always there and may be overridden):

    hosts:
      github.example.com:
        api_url: https://github.example.com/api/v3
        git_url: https://github.example.com
        web_url: https://github.example.com
        ca_file: /etc/orch/ca.pem  # who signs the API's certificate; git takes SSL_CERT_FILE of the operator
        allow_private: true        # the name resolves to a private address, and that is meant
        write_interval: 1.0        # seconds between two writes of one credential
"""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, FilePath, ValidationError, field_validator, model_validator

from orch.errors import PolicyDenied

GITHUB: Final = "github.com"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}")


class Host(BaseModel):
    """Where one code host is, and how fast it may be asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_url: str
    """REST address; `/repos/…` follows it."""
    git_url: str
    """Address before `/owner/name.git`."""
    web_url: str
    """Address for people."""
    ca_file: FilePath | None = None
    """PEM file with the certificates that the API's is signed by. Default: SSL_CERT_FILE, else the usual ones."""
    allow_private: bool = False
    """Whether a loopback, link-local or private address is meant."""
    write_interval: float = Field(default=1.0, ge=0)
    """Seconds between two writes of one credential. Source: GitHub REST "Best practices", "Pause between mutative requests"."""
    points_per_minute: int = Field(default=900, ge=100)
    """Budget of one credential; a read costs 1, a write 5. Source: GitHub REST "Rate limits", secondary limits."""
    content_per_minute: int = Field(default=80, ge=1)
    """Writes of one credential in a minute. Same source."""
    content_per_hour: int = Field(default=500, ge=1)
    """Writes of one credential in an hour. Same source."""

    @property
    def graphql_url(self) -> str:
        """Source: GitHub GraphQL "Forming calls", and the same page of GitHub Enterprise Server for `/api/v3`."""
        return f"{self.api_url.removesuffix('/v3')}/graphql"

    @field_validator("api_url", "git_url", "web_url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if "@" in parts.netloc or parts.query or parts.fragment or not url.isascii() or not url.isprintable():
            raise ValueError("an address without user, password, query and fragment is needed")
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts))):
            raise ValueError("an https address is needed (plain http: to a loopback address only)")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _private_is_meant(self) -> Host:
        for url in (self.api_url, self.git_url):
            address = _literal(urlsplit(url).hostname or "")
            if address is not None and not address.is_global and not self.allow_private:
                raise ValueError(f"{url} is a private address: set allow_private if that is meant")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    hosts: dict[str, Host] = Field(default_factory=dict)

    @field_validator("hosts")
    @classmethod
    def _names(cls, hosts: dict[str, Host]) -> dict[str, Host]:
        for name in hosts:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name[:80]!r} is no name of a host")
        return hosts


def load_hosts(path: Path | None) -> dict[str, Host]:
    """github.com, and what the file adds. Raises ValueError with the place of a mistake, OSError for an unreadable file."""
    known = {GITHUB: Host(api_url="https://api.github.com", git_url="https://github.com", web_url="https://github.com")}
    if path is None:
        return known
    try:
        document: Any = yaml.safe_load(path.read_text())
        return known | _File.model_validate(document or {}).hosts
    except ValidationError as err:
        first = err.errors()[0]
        raise ValueError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise ValueError(f"{path} is no YAML: {' '.join(str(err).split())}") from None


def check_addresses(name: str, host: Host) -> None:
    """Refuse a host whose names lead to a private address unless that is meant. It blocks: for a thread.

    Raises PolicyDenied. A name that cannot be resolved passes: the request itself will say so."""
    for url in () if host.allow_private else (host.api_url, host.git_url):
        try:
            found = socket.getaddrinfo(urlsplit(url).hostname, None)
        except OSError:
            continue
        if not all(is_public(str(entry[4][0])) for entry in found):
            raise not_allowed(name)


def not_allowed(name: str) -> PolicyDenied:
    """The refusal of a private address."""
    text = f"host {name} resolves to a private address: if that is meant, set allow_private in the operator's list of hosts"
    return PolicyDenied("HostNotAllowed", text)


def is_public(address: str) -> bool:
    """Whether an IP address (as the system writes it, a zone may follow `%`) is one of the Internet's."""
    return ipaddress.ip_address(address.partition("%")[0]).is_global


def _literal(hostname: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(hostname)
    except ValueError:
        return None


def _is_this_machine(parts: Any) -> bool:
    address = _literal(parts.hostname or "")
    return address.is_loopback if address is not None else parts.hostname == "localhost"
