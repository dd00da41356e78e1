"""What people do on GitHub, as they do it: through its API, each with a token of their own."""

from __future__ import annotations

from typing import Any

import httpx2


class People:
    """A client of the stand-in (or of GitHub) in one person's name."""

    def __init__(self, api_url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        self._http = httpx2.Client(base_url=api_url, headers=headers, timeout=30)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """One request; the decoded answer. Raises httpx2.HTTPStatusError when GitHub refuses."""
        reply = self._http.request(method, path, json=body or None)
        reply.raise_for_status()
        return reply.json() if reply.content else None

    def open_issue(self, repository: str, title: str, body: str) -> int:
        """Open an issue; its number."""
        return int(self.ask("POST", f"/repos/{repository}/issues", title=title, body=body)["number"])

    def label(self, repository: str, number: int, *labels: str) -> None:
        """Put labels on an issue or a pull request."""
        self.ask("POST", f"/repos/{repository}/issues/{number}/labels", labels=list(labels))

    def unlabel(self, repository: str, number: int, label: str) -> None:
        """Take a label off."""
        self.ask("DELETE", f"/repos/{repository}/issues/{number}/labels/{label}")

    def comments(self, repository: str, number: int) -> list[str]:
        """The bodies of an issue's comments."""
        return [entry["body"] for entry in self.ask("GET", f"/repos/{repository}/issues/{number}/comments")]

    def pull(self, repository: str, number: int) -> dict[str, Any]:
        """A pull request."""
        found: dict[str, Any] = self.ask("GET", f"/repos/{repository}/pulls/{number}")
        return found

    def diff(self, repository: str, number: int) -> str:
        """A pull request's diff."""
        accept = {"Accept": "application/vnd.github.diff"}
        reply = self._http.get(f"/repos/{repository}/pulls/{number}", headers=accept)
        reply.raise_for_status()
        return reply.text

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
