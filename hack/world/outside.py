"""The way out of this machine as a person's shell describes it: proxies, and who signs certificates.

For the programs of a world that talk to real services, GitHub and the model. Everything else in a world is on loopback, where no
proxy can reach it. Nothing else of a shell passes here: what is exported beside these may be a credential.
"""

from __future__ import annotations

from collections.abc import Mapping

NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "SSL_CERT_FILE")
NOWHERE = {"NO_PROXY": "*"}
"""For programs that talk to stand-ins alone."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def way_out(shell: Mapping[str, str]) -> dict[str, str]:
    """What a program needs of a shell's variables to reach the world, loopback excepted."""
    return {name: shell[name] for name in NAMES if shell.get(name)} | around_loopback(shell)


def around_loopback(shell: Mapping[str, str]) -> dict[str, str]:
    """The shell's `NO_PROXY` with this machine added, in both spellings: each program reads another one first. A `*` stays alone,
    for only so does it mean everything."""
    asked = (shell.get("no_proxy") or shell.get("NO_PROXY") or "").strip()
    names = asked if asked == "*" else ",".join(filter(None, (asked, *_LOOPBACK)))
    return {"NO_PROXY": names, "no_proxy": names}
