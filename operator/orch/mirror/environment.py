"""The environment and the settings under which every git of ours runs, and nothing else of the machine's.

Called by `orch.mirror.git`. A crafted configuration ran programs (`core.fsmonitor`, clean filters, hooks)
and sent a push, with its token, to another host (`url.*.insteadOf`). So no system, user or inherited configuration is
read, no hook, no credential helper, no redirect and no transport but https is allowed.
"""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from orch.errors import PolicyDenied

BIG_FILE = "16m"
"""Blobs above this are streamed and never diffed as text: it bounds git's memory, not what may be in a repository."""

HISTORIC_FLAWS = ("badTimezone", "badDate", "missingSpaceBeforeDate", "missingSpaceBeforeEmail", "zeroPaddedFilemode")
"""fsck messages that old commits of well-known projects carry. They harm nobody, and a history cannot be changed."""

_KEPT = ("PATH", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "TMPDIR")
_LOOPBACK = "127.0.0.1,localhost,::1"


def inherited() -> dict[str, str]:
    """What a mirror child keeps of the operator's environment: where programs, proxies and certificates are."""
    names = (*_KEPT, "NO_PROXY", "no_proxy", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in names if name in os.environ}


def scrubbed() -> dict[str, str]:
    """The whole environment of a git process: the operator's search path, proxies and CA file, and our switches."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    asked = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    no_proxy = (
        asked if asked == "*" else ",".join(filter(None, (asked, _LOOPBACK)))
    )  # curl takes a * for all only alone
    if ca_file := os.environ.get("SSL_CERT_FILE"):
        kept["GIT_SSL_CAINFO"] = ca_file  # libcurl inside git reads no SSL_CERT_FILE
    return kept | {
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "LC_ALL": "C",  # we read git's messages
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def settings(*, plain_http: bool) -> list[str]:
    """`-c` options for every command. They stand above any configuration file, the mirror's own too."""
    pairs = {
        "core.hooksPath": "/dev/null",
        "core.attributesFile": "/dev/null",
        "core.excludesFile": "/dev/null",
        "core.fsmonitor": "false",
        "core.bigFileThreshold": BIG_FILE,
        "protocol.allow": "never",
        "protocol.https.allow": "always",
        "protocol.version": "2",
        "credential.helper": "",
        "http.followRedirects": "false",
        "http.sslVerify": "true",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "30",
        "transfer.fsckObjects": "true",
        "fetch.fsckObjects": "true",
        "transfer.bundleURI": "false",
        "fetch.recurseSubmodules": "false",
        "push.recurseSubmodules": "no",
        "push.followTags": "false",
        "push.gpgSign": "false",
        "commit.gpgSign": "false",
        "gpg.format": "ssh",
        "i18n.commitEncoding": "utf-8",
        "gc.auto": "0",
        "maintenance.auto": "false",
    }
    pairs |= {f"fetch.fsck.{name}": "ignore" for name in HISTORIC_FLAWS}
    if plain_http:
        pairs["protocol.http.allow"] = "always"
    return [word for name, value in pairs.items() for word in ("-c", f"{name}={value}")]


def is_loopback(url: str) -> bool:
    """Whether plain http is allowed: to this machine only, where demo and tests keep their GitHub."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def checked_url(url: str) -> str:
    """The URL if git may be given it. Raises PolicyDenied for another transport or a user name or password inside."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(url):
        raise PolicyDenied("TransportNotAllowed", f"{parts.scheme or 'local'} remotes are refused: use an https URL")
    if not parts.hostname or "@" in parts.netloc or any(c.isspace() or not c.isprintable() for c in url):
        raise PolicyDenied("RemoteMalformed", "the remote must be an https URL without user, password or blanks")
    return url
