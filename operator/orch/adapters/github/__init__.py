"""GitHub through PyGithub, the one door to its SDK: requests, limits, errors, facts. What to do about them is the stages'."""

from orch.adapters.github.forges import GitHubForges
from orch.adapters.github.hosts import Host, load_hosts

__all__ = ["GitHubForges", "Host", "load_hosts"]
