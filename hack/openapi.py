"""GitHub's own description of its REST API (OpenAPI 3.0, API version 2022-11-28), from npm's @octokit/openapi.

Who calls it: the conformance tests of GitHub's stand-in; `make` once at set-up (`python hack/openapi.py`, which prints
where it lies). One version, pinned and checked; fetched with `npm pack`, so that npm's own settings say from where;
kept under ${XDG_CACHE_HOME:-~/.cache}/orch/openapi/VERSION/. It never runs a script of the package.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha512
from pathlib import Path
from typing import Any, Final

from openapi_schema_validator import OAS30Validator, oas30_format_checker

PACKAGE: Final = "@octokit/openapi"
VERSION: Final = "23.0.2"
INTEGRITY: Final = "sha512-pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg=="
MULTI_SEGMENT: Final = frozenset(("basehead", "branch", "commit_sha", "path", "ref", "sha", "tag", "tree_sha"))
"""Path parameters that may hold slashes (`x-multi-segment` in the full description)."""
MEMBER: Final = "package/generated/api.github.com.json"
SECONDS_TO_FETCH: Final = 300

PROSE: Final = frozenset(("description", "discriminator", "example", "examples", "externalDocs", "summary", "tags"))
"""What says nothing about validity. (`discriminator` only hints, and GitHub has one on a choice that holds an array.)"""
NAME_MAPS: Final = frozenset(("callbacks", "headers", "parameters", "paths", "patternProperties", "properties",
                              "requestBodies", "responses", "schemas"))  # fmt: skip
"""Keywords whose keys are names: a property that is called `description` is no prose."""


class MissingError(Exception):
    """The description is not here and cannot be fetched; the text says what to install or do."""


def cached_file() -> Path:
    """Where the description lies, or will."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "orch" / "openapi" / VERSION / "api.github.com.json"


@cache
def description() -> dict[str, Any]:
    """The description without prose and examples, from the cache; fetched when that is cold. Raises MissingError."""
    path = cached_file()
    if not path.exists():
        fill(path)
    loaded: dict[str, Any] = json.loads(path.read_bytes())
    return loaded


def fill(path: Path) -> None:
    """Fetch, check, thin out and put into place by rename, so that two at once do not meet. Raises MissingError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="fetch-") as scratch:
        full = json.loads(fetch(Path(scratch)))
        thin = Path(scratch) / "thin.json"
        thin.write_text(json.dumps(without_prose(full), separators=(",", ":")))
        thin.replace(path)


def fetch(scratch: Path) -> bytes:
    """The description as published. Raises MissingError without npm or network, or when it is not the pinned one."""
    command = ["npm", "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--prefer-offline", "--silent"]
    try:
        subprocess.run(
            command, cwd=scratch, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS_TO_FETCH
        )
    except FileNotFoundError:
        raise MissingError(
            "npm is missing, install it (Debian: apt install npm) for GitHub's API description"
        ) from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise MissingError(f"npm could not fetch {PACKAGE}@{VERSION}: run this again once with network") from None
    tarball = next(scratch.glob("*.tgz"))
    actual = "sha512-" + b64encode(sha512(tarball.read_bytes()).digest()).decode()
    if actual != INTEGRITY:
        raise MissingError(f"{PACKAGE}@{VERSION} is not the pinned one: expected {INTEGRITY}, got {actual}")
    with tarfile.open(tarball) as archive:
        member = archive.extractfile(MEMBER)
        if member is None:
            raise MissingError(f"{PACKAGE}@{VERSION} holds no {MEMBER}")
        return member.read()


def without_prose(node: Any, *, keys_are_names: bool = False) -> Any:
    """`node` without what a validator does not read, four fifths of the size; and with `nullable` as GitHub means it."""
    if isinstance(node, list):
        return [without_prose(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: without_prose(value, keys_are_names=not keys_are_names and key in NAME_MAPS)
        for key, value in node.items()
        if keys_are_names or not (key in PROSE or key.startswith("x-"))
    }
    return kept if keys_are_names else with_null(kept)


def with_null(schema: dict[str, Any]) -> dict[str, Any]:
    """GitHub marks fields `nullable` beside an `enum` or a choice of types, where OpenAPI 3.0.3 gives it no effect."""
    if schema.get("nullable") is not True or ("type" in schema and "enum" not in schema):
        return schema
    return {"anyOf": [{key: value for key, value in schema.items() if key != "nullable"}, {"enum": [None]}]}


class Contract:
    """The description, asked about single exchanges: `{"method", "path", "status", …}` as in the stand-in's journal."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._whole = description
        self._routes = [(template, pattern_of(template)) for template in description["paths"]]

    def find_operation(self, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
        """Template and operation of a request: of several templates that fit the one with the most literal text."""
        fitting = [template for template, pattern in self._routes if pattern.fullmatch(path)]
        for template in sorted(fitting, key=lambda template: -len(re.sub(r"\{\w+\}", "", template))):
            operation = self._whole["paths"][template].get("get" if method == "HEAD" else method.lower())
            if operation is not None:
                return template, operation
        return None

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self._whole
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def schema_for(self, operation: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any] | None:
        """Schema of the answer's body. None when the description has no body there. Raises LookupError for a status
        that is not described."""
        answer = self.resolve(operation["responses"][str(entry["status"])])
        for media, content in answer.get("content", {}).items():
            if media.startswith("application/json") and "schema" in content:
                return dict(content["schema"])
        return None

    def errors(self, schema: dict[str, Any], body: Any) -> list[str]:
        rooted = {"components": self._whole["components"], "allOf": [schema]}
        validator = OAS30Validator(rooted, format_checker=oas30_format_checker)
        return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(body)]

    def unknown_fields(self, schema: dict[str, Any], body: Any, where: str = "$") -> Iterator[str]:
        """Fields of `body` of which the description does not speak, at any depth."""
        parts = list(self._parts(schema))
        if isinstance(body, list):
            items = [part["items"] for part in parts if "items" in part]
            for item in body[:3]:
                yield from self.unknown_fields({"anyOf": items}, item, f"{where}[]")
        if not isinstance(body, dict) or not any("properties" in part for part in parts):
            return
        if any(part.get("additionalProperties") for part in parts):
            return
        for name, value in body.items():
            about = [part["properties"][name] for part in parts if name in part.get("properties", {})]
            if not about:
                yield f"{where}.{name}"
            else:
                yield from self.unknown_fields({"anyOf": about}, value, f"{where}.{name}")

    def _parts(self, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        schema = self.resolve(schema)
        yield schema
        for key in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(key, ()):
                yield from self._parts(part)


def pattern_of(template: str) -> re.Pattern[str]:
    """What the path of a request to this route looks like."""

    def parameter(found: re.Match[str]) -> str:
        if found[2] == "path":  # the root of a repository's contents: GitHub takes it with and without the slash
            return "(/.*)?"
        return found[1] + (".+" if found[2] in MULTI_SEGMENT else "[^/]+")

    return re.compile(re.sub(r"(/?)\\\{(\w+)\\\}", parameter, re.escape(template)))


def main() -> int:
    try:
        description()
    except MissingError as err:
        print(f"openapi: {err}", file=sys.stderr)
        return 1
    print(cached_file())
    return 0


if __name__ == "__main__":
    sys.exit(main())
