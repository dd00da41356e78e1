"""The operator's list of code hosts. A repository names an entry, never an address: a tenant cannot send a token elsewhere.

File format (YAML):

    hosts:
      github.example.com:
        api_url: https://github.example.com/api/v3
        git_url: https://github.example.com
        web_url: https://github.example.com
        allow_private: true        # the name resolves to a private address, and that is meant
        write_interval: 1.0        # seconds between two writes of one credential
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orch.errors import PolicyDenied

GITHUB: Final = "github.com"


class Host(BaseModel):
    """Where one code host is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_url: str
    """REST address without a slash at the end."""
    git_url: str
    """Address before `/owner/name.git`."""
    web_url: str
    """Address for people."""
    allow_private: bool = False
    """Whether a loopback, link-local or private address is meant."""
    write_interval: float = Field(default=1.0, ge=0)
    """Seconds between two writes of one credential (GitHub: "Best practices for using the REST API")."""


_DEFAULT: Final = Host(api_url="https://api.github.com", git_url="https://github.com", web_url="https://github.com")


def load_hosts(path: Path | None) -> dict[str, Host]:
    """github.com, and what the file adds. Raises ValueError with the place of a mistake."""
    hosts = {GITHUB: _DEFAULT}
    if path is None:
        return hosts
    try:
        document = yaml.safe_load(path.read_text()) or {}
        listed: Mapping[str, object] = document["hosts"]
        return hosts | {name: Host.model_validate(entry) for name, entry in listed.items()}
    except ValidationError as err:
        first = err.errors()[0]
        raise ValueError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (yaml.YAMLError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path} is no list of hosts: see docs/install.md") from None


def check_address(name: str, host: Host) -> None:
    """Refuse a host that resolves to a private address unless that is meant. Raises PolicyDenied."""
    if host.allow_private:
        return
    for url in (host.api_url, host.git_url):
        try:
            found = socket.getaddrinfo(urlsplit(url).hostname, None)
        except OSError:
            continue  # the request itself will say that the name cannot be resolved
        if any(not ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in found):
            text = f"host {name} resolves to a private address: set allow_private in the operator's list of hosts"
            raise PolicyDenied("HostNotAllowed", text)
