"""Which script answers: by words, model, stage, attempt and turn; and what is said of a script that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from orch.testservers.model import ScriptError, load_scripts, read_scripts

STORY = """
name: slug
match: {contains: 'drops \\w+'}
capture: {test: 'FAILED (\\S+)'}
stages:
  - {stage: Analyse, turns: [{text: analysed}]}
  - {stage: Implement, turns: [{text: any attempt}]}
  - {stage: Implement, attempt: 2, turns: [{text: second attempt}, {text: 'pytest {{ capture.test }}'}]}
---
name: other
match: {model: claude-opus-5}
stages: {turns: [{text: opus}]}
"""


@pytest.mark.parametrize(
    ("said", "stage", "attempt", "model", "answer"),
    [
        ("slugify drops digits", "Analyse", 1, "claude-sonnet-5", "analysed"),
        ("slugify drops digits", "Implement", 1, "claude-sonnet-5", "any attempt"),
        ("slugify drops digits", "Implement", 2, "claude-sonnet-5", "second attempt"),
        ("slugify drops digits", "Review", 1, "claude-opus-5", "opus"),
        ("slugify drops digits", "Review", 3, "claude-sonnet-5", "No script matches: stage Review attempt 3, turn 1."),
        ("another thing", "Analyse", 1, "claude-sonnet-5", "No script matches: stage Analyse attempt 1, turn 1."),
    ],
)
def test_a_script_is_chosen(start: Any, said: str, stage: str, attempt: int, model: str, answer: str) -> None:
    api = start(STORY)
    assert api.create(said, model=model, metadata=api.in_run(stage, attempt)).content[0].text == answer
    entry = api.server.journal()[-1]
    assert (entry["stage"], entry["attempt"], entry["identity"], entry["turn"]) == (
        stage,
        attempt,
        "0123456789abcdef",
        1,
    )
    assert entry["script"] == {"opus": "other"}.get(answer, None if answer.startswith("No ") else "slug")


def test_a_template_repeats_what_the_conversation_said(start: Any) -> None:
    api = start(STORY)
    messages = [
        {"role": "user", "content": "drops digits\nFAILED tests/a.py::first"},
        {"role": "assistant", "content": "I look"},
        {"role": "user", "content": "FAILED tests/b.py::second now"},
    ]
    message = api.create(messages=messages, metadata=api.in_run("Implement", 2))
    assert message.content[0].text == "pytest tests/b.py::second"


def test_a_conversation_without_a_run_has_no_stage(start: Any) -> None:
    message = start(STORY).create("drops digits", metadata={"user_id": "somebody"})
    assert message.content[0].text == "No script matches: no stage, turn 1."


def test_words_of_tool_results_choose_no_script(start: Any) -> None:
    api = start("{match: {contains: needle}, stages: {turns: [{text: a}, {text: b}]}}")
    use = {"type": "tool_use", "id": "t1", "name": "run", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "needle"}
    asked = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    assert api.create(messages=asked).content[0].text.startswith("No script matches")


def test_scripts_are_added_and_the_journal_is_read_over_http(start: Any) -> None:
    api = start("{name: first, stages: {turns: [{text: old}]}}")
    control = f"{api.server.url}/_control"
    added = httpx2.put(f"{control}/scripts", content="{name: first, stages: {turns: [{text: new}]}}")
    assert added.json() == {"scripts": ["first"]}
    assert api.create().content[0].text == "new"
    added = httpx2.put(f"{control}/scripts", json={"name": "second", "stages": [{"turns": [{"text": "newer"}]}]})
    assert added.json() == {"scripts": ["second", "first"]}
    assert api.create().content[0].text == "newer"
    wrong = httpx2.put(f"{control}/scripts", content="{stages: []}")
    assert wrong.status_code == 400
    assert wrong.json()["error"].startswith("put: stages: ")
    assert api.create().content[0].text == "newer"
    entries = httpx2.get(f"{control}/journal", params={"since": 2}).json()["entries"]
    assert [(entry["seq"], entry["script"]) for entry in entries] == [(3, "second")]
    assert entries[0]["body"]["messages"] == [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("a: [", "x: not valid YAML", id="YAML"),
        pytest.param("just words", "x: a script is a mapping", id="no mapping"),
        pytest.param("{stages: {turns: []}}", r"x: stages\.0\.turns: List should have at least 1", id="no turns"),
        pytest.param("{stages: {turns: [{txt: a}]}}", r"turns\.0\.txt: Extra inputs", id="unknown field"),
        pytest.param(
            "{match: {contains: '('}, stages: {turns: [{}]}}", "match.contains: .*not a regular", id="pattern"
        ),
        pytest.param("{stages: {turns: [{repeat: true}, {}]}}", "only the last turn can", id="repeat"),
        pytest.param("{stages: {turns: [{times: 2}]}}", "times: needs status", id="times"),
        pytest.param("{stages: {turns: [{error_event: oops}]}}", "error_event: one of", id="error_event"),
        pytest.param("{stages: {turns: [{json: {}, text: a}]}}", "json: excludes text", id="json and text"),
        pytest.param("- {stages: {turns: [{}]}}\n- {}", "x-2: stages: Field required", id="second of two"),
    ],
)
def test_a_wrong_script_is_named(text: str, complaint: str) -> None:
    with pytest.raises(ScriptError, match=complaint):
        read_scripts(text, name="x")


def test_two_scripts_of_one_name_are_refused(start: Any) -> None:
    with pytest.raises(ScriptError, match="slug: two scripts have this name"):
        start("- {name: slug, stages: {turns: [{}]}}\n- {name: slug, stages: {turns: [{}]}}")


def test_a_directory_is_loaded_by_name(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.txt"):
        (tmp_path / name).write_text("stages: {turns: [{text: x}]}")
    assert [script.name for script in load_scripts(tmp_path)] == ["a", "b"]
    with pytest.raises(ScriptError, match="cannot be read"):
        load_scripts(tmp_path / "none.yaml")
