"""What is made from the models: complete, deterministic, and what stands in the repository."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field

from orch.api.crd import (
    COLUMNS,
    HASH_ANNOTATION,
    SELECTABLE,
    custom_resource_definition,
    published_schema,
    schema_hash,
    schema_hashes,
)
from orch.api.schema import object_schema
from orch.api.v1alpha1 import KINDS, IssueRun, KubeObject, Model, OrchestratedRepo, reasons

ROOT = Path(__file__).resolve().parents[3]
EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


def test_the_files_are_what_the_models_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "hack/generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@EACH_KIND
def test_a_document_is_plain_yaml_and_the_same_each_time(kind: type[KubeObject]) -> None:
    document = custom_resource_definition(kind)
    object_schema.cache_clear()
    assert custom_resource_definition(kind) == document
    assert yaml.safe_load(yaml.safe_dump(document)) == document
    assert document["metadata"]["annotations"][HASH_ANNOTATION] == schema_hashes()[document["metadata"]["name"]]


@EACH_KIND
def test_all_is_described_and_bounded(kind: type[KubeObject]) -> None:
    for path, node in nodes(published_schema(kind)):
        assert path.endswith("[]") or node["description"], path
        if node["type"] == "array":
            assert node["maxItems"], path
            assert node["x-kubernetes-list-type"] in ("set", "map", "atomic"), path
        if node["type"] == "string" and "enum" not in node:
            assert "maxLength" in node or node.get("format") == "date-time", path
        if "additionalProperties" in node:
            assert node["maxProperties"], path
        assert node["type"] != "number", path


@EACH_KIND
def test_only_a_spec_has_defaults(kind: type[KubeObject]) -> None:
    schema = published_schema(kind)["properties"]
    if "status" in schema:
        assert [(path, node["default"]) for path, node in nodes(schema["status"]) if "default" in node] == [
            ("", {"observedGeneration": -1})
        ]


def test_sections_default_to_empty_so_that_their_fields_fill_in() -> None:
    spec = published_schema(OrchestratedRepo)["properties"]["spec"]["properties"]
    sections = {name for name, node in spec.items() if "properties" in node} - {"credentialsRef"}
    assert len(sections) == 10
    assert {name for name in sections if spec[name]["default"] == {}} == sections
    assert spec["interval"]["default"] == "1m"
    assert spec["budget"]["properties"]["perRunUSD"]["default"] == "5"


@EACH_KIND
def test_columns_and_selectors_name_fields_that_exist(kind: type[KubeObject]) -> None:
    known = {path for path, _ in nodes(published_schema(kind))}
    paths = [column.path for column in COLUMNS[kind.KIND]] + list(SELECTABLE[kind.KIND])
    for path in paths:
        assert path.split("[?")[0] in known or path == ".metadata.creationTimestamp", path


def test_the_hash_moves_with_the_schema_and_not_with_its_words() -> None:
    assert schema_hash(OrchestratedRepo) != schema_hash(IssueRun)

    class Reworded(IssueRun):
        """Other words."""

    class Narrower(IssueRun):
        RULES = ()

    assert schema_hash(Reworded) == schema_hash(IssueRun)
    assert schema_hash(Narrower) != schema_hash(IssueRun)


def test_a_field_without_words_is_refused() -> None:
    class Mute(Model):
        """A section."""

        field: bool = False

    class MuteKind(KubeObject):
        """A kind."""

        KIND = "Mute"
        spec: Mute
        """Its spec."""

    with pytest.raises(ValueError, match=r"Mute\.spec\.field has no docstring"):
        object_schema(MuteKind)


def test_what_a_structural_schema_cannot_say_is_refused() -> None:
    class Odd(Model):
        """A section."""

        field: Annotated[dict[Annotated[str, Field(pattern="^a$")], str], Field(max_length=2)] = {}  # noqa: RUF012
        """Keys with a pattern."""

    class OddKind(KubeObject):
        """A kind."""

        KIND = "Odd"
        spec: Odd
        """Its spec."""

    with pytest.raises(ValueError, match="patternProperties"):
        object_schema(OddKind)


def test_each_reason_says_what_it_means() -> None:
    groups = [
        group for group in vars(reasons).values() if isinstance(group, type) and issubclass(group, reasons.Documented)
    ]
    members = [member for group in groups for member in group]
    assert len(members) > 50
    assert [member for member in members if len(member.meaning) < 15] == []
