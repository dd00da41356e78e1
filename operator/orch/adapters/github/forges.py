"""Opens Forges. Credentials are shared by what they are, not by who names them: one token has one pace and one quota."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from orch.adapters.github.forge import GitHubForge
from orch.adapters.github.hosts import Host, check_address
from orch.adapters.github.rest import Rest
from orch.errors import CredentialsRefused, PolicyDenied
from orch.ports import Credential, Forge

_KEPT: Final = 1_000


class GitHubForges:
    """See `orch.ports.Forges`."""

    def __init__(self, hosts: Mapping[str, Host]) -> None:
        self._hosts = dict(hosts)
        self._rests: OrderedDict[tuple[str, str], Rest] = OrderedDict()

    def open(self, *, host: str, repository: str, secret: Mapping[str, bytes], tenant: str) -> Forge:
        """A Forge for one repository. Raises PolicyDenied, CredentialsRefused."""
        entry = self._hosts.get(host)
        if entry is None:
            known = ", ".join(sorted(self._hosts))
            raise PolicyDenied("HostNotAllowed", f"host {host} is not in the operator's list of hosts ({known})")
        token = _token(secret)
        return GitHubForge(
            self._rest(host, entry, token),
            name=host,
            host=entry,
            repository=repository,
            credential=Credential("x-access-token", token),
        )

    def _rest(self, name: str, host: Host, token: str) -> Rest:
        key = (name, hashlib.sha256(token.encode()).hexdigest())
        if key not in self._rests:
            check_address(name, host)
            self._rests[key] = Rest(host.api_url, token, write_interval=host.write_interval)
            while len(self._rests) > _KEPT:
                self._rests.popitem(last=False)
        self._rests.move_to_end(key)
        return self._rests[key]


def _token(secret: Mapping[str, bytes]) -> str:
    """The Secret's token: one line of printable ASCII, or a header could be smuggled in with it."""
    token = secret.get("token", b"").decode(errors="replace").strip()
    if not token:
        raise CredentialsRefused("CredentialsMissing", "the Secret of spec.credentialsRef has no key `token`")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise CredentialsRefused("CredentialsMissing", "the key `token` of the Secret does not hold one token")
    return token
