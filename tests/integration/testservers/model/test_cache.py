"""Figures of the prompt cache: written the first time, read the next, by prefix, model, key and age."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

MARK = {"cache_control": {"type": "ephemeral"}}
TOOL = {"name": "t", "input_schema": {"type": "object"}}
BIG = "x" * 8000
"""2000 tokens."""


def system(words: str = BIG, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": words} | (more or MARK)]


def figures(message: Any) -> tuple[int, int, int]:
    usage = message.usage
    return usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens


def test_a_prefix_is_written_then_read(plain: Any) -> None:
    asked = {"system": system("a" * 8000)}
    assert figures(plain.create("12345678", **asked)) == (2, 2000, 0)
    assert figures(plain.create("1234", **asked)) == (1, 0, 2000)
    with plain.stream("1234", **asked) as stream:
        assert figures(stream.get_final_message()) == (1, 0, 2000)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"system": system("c" * 7999 + "d")}, id="other text"),
        pytest.param({"system": system("c" * 8000), "model": "claude-sonnet-5-5"}, id="other model"),
        pytest.param(
            {"system": system("c" * 8000), "tools": [TOOL]},
            id="other tools",
        ),
    ],
)
def test_another_prefix_is_not_read(start: Any, change: dict[str, Any]) -> None:
    api = start()
    api.create(system=system("c" * 8000))
    fresh, written, read = figures(api.create(**change))
    assert (written >= 2000, read) == (True, 0)
    assert fresh > 0


def test_a_prefix_below_the_models_minimum_is_not_cached(start: Any) -> None:
    api = start()
    for _ in range(2):
        assert figures(api.create("1234", system=system("x" * 4092))) == (1024, 0, 0)
    for expected in ((1, 1024, 0), (1, 0, 1024)):
        assert figures(api.create("1234", system=system("x" * 4096))) == expected
    assert figures(api.create("1234", system=system("x" * 4096), model="claude-opus-4-7")) == (1025, 0, 0)


def test_a_growing_conversation_reads_what_it_wrote(start: Any) -> None:
    api = start()
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": BIG} | MARK]}]
    assert figures(api.create(messages=messages)) == (0, 2000, 0)
    del messages[0]["content"][0]["cache_control"]  # moving the mark changes no prefix
    messages += [
        {"role": "assistant", "content": "a" * 400},
        {"role": "user", "content": [{"type": "text", "text": "b" * 400} | MARK]},
    ]
    assert figures(api.create(messages=messages)) == (0, 200, 2000)


def test_a_mark_on_the_request_moves_to_its_last_block(start: Any) -> None:
    api = start()
    assert figures(api.create(BIG, cache_control={"type": "ephemeral"})) == (0, 2000, 0)
    assert figures(api.create(BIG, cache_control={"type": "ephemeral"})) == (0, 0, 2000)


def test_a_breakpoint_looks_back_twenty_blocks(start: Any) -> None:
    api = start()
    blocks = [{"type": "text", "text": BIG}, *({"type": "text", "text": f"{n:04}"} for n in range(30))]

    def marked(at: int) -> tuple[int, int, int]:
        content = [block | MARK if n == at else block for n, block in enumerate(blocks[: at + 1])]
        return figures(api.create(messages=[{"role": "user", "content": content}]))

    assert marked(0) == (0, 2000, 0)
    assert marked(19) == (0, 19, 2000)
    assert marked(0) == (0, 0, 2000)
    api.create(model="claude-sonnet-5-5", messages=[{"role": "user", "content": [blocks[0] | MARK]}])
    content = [block | MARK if n == 20 else block for n, block in enumerate(blocks[:21])]
    too_far = api.create(model="claude-sonnet-5-5", messages=[{"role": "user", "content": content}])
    assert figures(too_far) == (0, 2020, 0)


def test_a_change_of_tool_choice_keeps_the_system_prompt(start: Any) -> None:
    api = start()
    tools = [TOOL]
    content = [{"type": "text", "text": BIG} | MARK]
    asked = {"system": system(), "tools": tools, "messages": [{"role": "user", "content": content}]}
    _, written, read = figures(api.create(**asked))
    assert read == 0
    _, again, kept = figures(api.create(**asked, tool_choice={"type": "auto"}))
    assert (again, kept) == (2000, written - 2000)


@pytest.mark.parametrize(("ttl", "minutes", "read"), [("5m", 4, 2000), ("5m", 6, 0), ("1h", 59, 2000), ("1h", 61, 0)])
def test_an_entry_lives_from_its_last_use(start: Any, ttl: str, minutes: int, read: int) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    clock: Callable[[], datetime] = lambda: now[0]  # noqa: E731
    api = start(clock=clock)
    asked = {"system": system(cache_control={"type": "ephemeral", "ttl": ttl})}
    usage = api.create(**asked).usage.cache_creation
    by_lifetime = {"5m": usage.ephemeral_5m_input_tokens, "1h": usage.ephemeral_1h_input_tokens}
    assert by_lifetime == {"5m": 0, "1h": 0} | {ttl: 2000}
    for _ in range(2):  # a use prolongs it
        now[0] += timedelta(minutes=minutes)
        assert api.create(**asked).usage.cache_read_input_tokens == read


def test_counted_tokens_are_the_sum_of_the_figures(plain: Any) -> None:
    asked = plain.request(
        "z" * 5000, system=system("z" * 9000), tools=[{"name": "z", "input_schema": {"type": "object"}}]
    )
    counted = plain.client.messages.count_tokens(**{k: v for k, v in asked.items() if k != "max_tokens"}).input_tokens
    for _ in range(2):
        assert sum(figures(plain.client.messages.create(**asked))) == counted
