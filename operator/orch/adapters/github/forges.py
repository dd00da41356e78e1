"""Opens Forges. Credentials are shared by what they are, not by who names them: one token has one pace and one quota.

Made by `main`, one for the process; it lives on one event loop.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from orch.adapters.github.etags import Kept
from orch.adapters.github.forge import GitHubForge
from orch.adapters.github.governor import Governor
from orch.adapters.github.hosts import Host
from orch.adapters.github.line import Timeouts
from orch.adapters.github.pace import Urgency
from orch.adapters.github.rest import Account, Rest
from orch.errors import CredentialsRefused, PolicyDenied
from orch.ports import Credential, Forge

_ACCOUNTS_KEPT: Final = 1_000
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_LONGEST_TOKEN: Final = 4096


class GitHubForges:
    """See `orch.ports.Forges`. `hosts`: by name, from `load_hosts`. `fence` is called in the thread just before a write
    leaves; it raises when this process may not act any more."""

    def __init__(
        self, hosts: Mapping[str, Host], *, fence: Callable[[], None] | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self._hosts = dict(hosts)
        self._fence = fence or _always
        self._timeouts = timeouts or Timeouts()
        self._governor = Governor(deadline=self._timeouts.deadline)
        self._kept = Kept()
        self._accounts: OrderedDict[str, Account] = OrderedDict()

    def open(
        self, *, host: str, repository: str, secret: Mapping[str, bytes], tenant: str, pinned: int | None, polling: bool
    ) -> Forge:
        """A Forge for one repository; no request is made. Raises PolicyDenied, CredentialsRefused."""
        entry = self._hosts.get(host)
        if entry is None:
            known = ", ".join(sorted(self._hosts))
            raise PolicyDenied("HostNotAllowed", f"host {host!r} is not in the operator's list of hosts ({known})")
        if not _REPOSITORY.fullmatch(repository):
            raise PolicyDenied("InvalidSpec", f"{repository[:200]!r} is no repository: write owner/name")
        token = _token(secret)
        reads = Urgency.POLL if polling else Urgency.LOOK
        rest = Rest(self._account(host, entry, token), self._governor, tenant=tenant, reads=reads, fence=self._fence)
        return GitHubForge(
            rest,
            name=host,
            host=entry,
            repository=repository,
            credential=Credential(token),
            pinned=pinned,
        )

    def close(self) -> None:
        """Let go of threads and connections."""
        self._governor.close()
        for account in self._accounts.values():
            account.close()

    def _account(self, name: str, host: Host, token: str) -> Account:
        key = hashlib.sha256(f"{name}\0{token}".encode()).hexdigest()
        if key not in self._accounts:
            self._accounts[key] = Account(name, host, token, key=key, kept=self._kept, timeouts=self._timeouts)
            while len(self._accounts) > _ACCOUNTS_KEPT:
                self._accounts.popitem(last=False)[1].close()
        self._accounts.move_to_end(key)
        return self._accounts[key]


def _always() -> None:
    """Nothing fences a process that is alone."""


def _token(secret: Mapping[str, bytes]) -> str:
    """The Secret's token: one word of printable ASCII, or a header could be smuggled in with it."""
    token = secret.get("token", b"").decode(errors="replace").strip()
    if not token:
        text = "the Secret of spec.credentialsRef has no key `token`, or it is empty"
        raise CredentialsRefused("CredentialsMissing", text)
    if not (token.isascii() and token.isprintable()) or " " in token or len(token) > _LONGEST_TOKEN:
        raise CredentialsRefused("CredentialsMissing", "the key `token` of the Secret does not hold one token")
    return token
