"""Whatever the order in which watch and list arrive, the cache ends at what the server has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orch.runtime.cache import Cache, Change, Entry
from orch.runtime.reconcile import Key

NAMES = st.sampled_from(["one", "two", "three"])
NAMESPACES = st.sampled_from(["a", "b"])


def an_entry(key: Key, version: int, value: str = "x") -> Entry[str]:
    return Entry(key, uid=f"{key}-uid", version=version, labels={"value": value}, value=value)


class CacheMachine(RuleBasedStateMachine):
    """A server with a history, a watch that lags behind it, and lists that arrive late."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 0
        self.server: dict[Key, Entry[str]] = {}
        self.stream: list[tuple[Key, int, Entry[str] | None]] = []
        self.lists: list[tuple[int, dict[Key, Entry[str]]]] = []
        self.cache: Cache[str] = Cache({"value": lambda value: [value]})
        self.told: dict[Key, str] = {}

    def tell(self, change: Change[str] | None) -> None:
        if change is None:
            return
        assert self.told.get(change.key) == change.old, "a change starts where the last one ended"
        if change.new is None:
            del self.told[change.key]
        else:
            self.told[change.key] = change.new

    @rule(namespace=NAMESPACES, name=NAMES, value=st.sampled_from("xyz"))
    def write(self, namespace: str, name: str, value: str) -> None:
        self.version += 1
        key = Key(namespace, name)
        self.server[key] = an_entry(key, self.version, value)
        self.stream.append((key, self.version, self.server[key]))

    @rule(namespace=NAMESPACES, name=NAMES)
    def delete(self, namespace: str, name: str) -> None:
        key = Key(namespace, name)
        if self.server.pop(key, None) is not None:
            self.version += 1
            self.stream.append((key, self.version, None))

    @rule()
    def deliver(self) -> None:
        if self.stream:
            key, version, entry = self.stream.pop(0)
            self.tell(self.cache.put(entry) if entry else self.cache.remove(key, version))

    @rule()
    def lose(self) -> None:
        """A gap: everything that is under way is lost; a list follows, as the watch asks for it."""
        self.stream.clear()
        self.start_list()

    @rule()
    def start_list(self) -> None:
        self.lists.append((self.version, dict(self.server)))

    @rule()
    def finish_list(self) -> None:
        if self.lists:
            version, objects = self.lists.pop(0)
            for change in self.cache.replace(objects.values(), version):
                self.tell(change)

    @invariant()
    def what_was_told_is_what_is_there(self) -> None:
        assert self.told == {entry.key: entry.value for entry in self.cache}
        for value in "xyz":
            expected = [self.told[key] for key in sorted(self.told) if self.told[key] == value]
            assert self.cache.indexed("value", value) == expected

    def teardown(self) -> None:
        while self.stream:
            self.deliver()
        while self.lists:
            self.finish_list()
        assert self.told == {key: entry.value for key, entry in self.server.items()}


TestCache = CacheMachine.TestCase


def test_a_list_of_one_namespace_says_nothing_about_another() -> None:
    cache: Cache[str] = Cache()
    here, there = Key("here", "x"), Key("there", "x")
    cache.put(an_entry(here, 1))
    cache.put(an_entry(there, 2))
    assert cache.replace([], 5, namespace="here") == [Change(here, "x", None)]
    assert cache.find(there) == "x"


def test_what_a_list_holds_but_nobody_can_read_stays_as_it_was_known() -> None:
    cache: Cache[str] = Cache()
    key = Key("a", "x")
    cache.put(an_entry(key, 1))
    assert cache.replace([], 5, keep={key}) == []
    assert cache.find(key) == "x"


def test_what_was_deleted_while_a_list_was_under_way_does_not_come_back() -> None:
    cache: Cache[str] = Cache()
    key = Key("a", "x")
    cache.put(an_entry(key, 3))
    cache.remove(key, 7)
    assert cache.replace([an_entry(key, 3)], 5) == []
    assert cache.find(key) is None


@given(st.sets(st.tuples(NAMESPACES, NAMES), max_size=6), st.sampled_from([None, "a", "b"]))
def test_select_is_a_filter(keys: set[tuple[str, str]], namespace: str | None) -> None:
    cache: Cache[str] = Cache()
    for number, (space, name) in enumerate(sorted(keys)):
        cache.put(an_entry(Key(space, name), number, name))
    assert cache.select(namespace, {"value": "one"}) == [
        name for space, name in sorted(keys) if name == "one" and namespace in (None, space)
    ]
