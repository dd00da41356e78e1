"""Who is woken when an OrchestratedRepo is gone: the others that may have wanted its repository."""

from orch.reconcilers.projections import RepoProjection
from orch.reconcilers.repository_claim import claim_name, rivals
from orch.runtime.cache import Cache, Change, Entry
from orch.runtime.reconcile import Key


def watched(repository: str) -> RepoProjection:
    return RepoProjection(asked=(), repository=repository, ready=False)


def cache() -> Cache[RepoProjection]:
    made: Cache[RepoProjection] = Cache()
    for number, (key, repository) in enumerate(
        {Key("a", "web"): "acme/web", Key("b", "web"): "Acme/Web", Key("b", "api"): "acme/api"}.items()
    ):
        made.put(Entry(key=key, uid=str(number), version=number + 1, labels={}, value=watched(repository)))
    return made


def test_those_of_the_same_repository_are_woken() -> None:
    gone = Change(Key("c", "mine"), watched("acme/web"), None)
    assert rivals(cache(), gone) == [Key("a", "web"), Key("b", "web")]


def test_a_change_that_frees_nothing_wakes_nobody() -> None:
    mine = watched("acme/web")
    assert rivals(cache(), Change(Key("c", "mine"), None, mine)) == []
    assert rivals(cache(), Change(Key("c", "mine"), mine, mine)) == []


def test_a_claim_is_named_by_host_and_id() -> None:
    assert claim_name("github.com", 1) == claim_name("github.com", 1)
    assert len({claim_name("github.com", 1), claim_name("github.com", 11), claim_name("git.example", 1)}) == 3
