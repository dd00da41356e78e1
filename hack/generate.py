"""Write what is made from the code: crds, manifests, docs/reference, docs/cli. With --check only say what is stale.

Called by `make generate` and by `make lint` (with --check). Usage: python hack/generate.py [--check]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "operator")]

from hack import cli_pages  # noqa: E402
from orch.api.audit import AuditEvent  # noqa: E402
from orch.api.crd import custom_resource_definition, published_schema  # noqa: E402
from orch.api.documented import Documented  # noqa: E402
from orch.api.manifests import Installation, manifests  # noqa: E402
from orch.api.v1alpha1 import KINDS, KubeObject, reasons  # noqa: E402
from orch.api.v1alpha1.markers import LIST_KEYS, RULES  # noqa: E402

NOTE = "Made by hack/generate.py from operator/orch/api: change the models, then run it again."


def main() -> int:
    """0: all files are what the models say, or have been written. 1: --check found stale ones, each named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is stale")
    check = parser.parse_args().check
    wanted = dict(files())
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    folders = {path.parent for path in wanted}
    notes = (NOTE, cli_pages.NOTE)
    beside = (path for folder in folders for path in folder.glob("*.*"))
    suffixes = {path.suffix for path in wanted}  # pictures lie there too
    texts = {path: path.read_text("utf-8") for path in beside if path.suffix in suffixes}
    made = [path for path, text in texts.items() if any(note in text for note in notes)]
    left = sorted(set(made) - set(wanted))
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'stale' if check else 'written'}")
    for path in left:
        print(f"{path.relative_to(ROOT)}: {'left over' if check else 'removed'}")
    if check:
        return 1 if stale or left else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], "utf-8")
    for path in left:
        path.unlink()
    return 0


def files() -> Iterator[tuple[Path, str]]:
    """Each file with its text."""
    for name, documents in manifests(Installation()).items():
        text = yaml.safe_dump_all(documents, sort_keys=False, width=120, allow_unicode=True)
        yield ROOT / "manifests" / name, f"# {NOTE}\n{text}"
    for kind in KINDS:
        document = yaml.safe_dump(custom_resource_definition(kind), sort_keys=False, width=120, allow_unicode=True)
        yield ROOT / "crds" / f"{kind.PLURAL}.yaml", f"# {NOTE}\n{document}"
        yield ROOT / "docs" / "reference" / f"{kind.KIND.lower()}.md", page(kind)
    yield ROOT / "docs" / "reference" / "conditions.md", conditions_page()
    yield ROOT / "docs" / "reference" / "audit.md", audit_page()
    yield from cli_pages.pages(ROOT / "docs")


def page(kind: type[KubeObject]) -> str:
    """The reference of one kind: each field with its type, its default and what it means."""
    schema = published_schema(kind)
    lines = [f"<!-- {NOTE} -->", f"# {kind.KIND}", "", schema["description"], ""]
    lines += [f"`{kind.GROUP}/{kind.VERSION}`, short name `{kind.SHORT}`, namespaced.", ""]
    lines += [f"Rule: {entry['message']}." for entry in schema.get(RULES, [])]
    for name, section in schema["properties"].items():
        lines += ["", f"## {name}", "", section["description"], ""]
        lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
        lines += [row(path, node, required) for path, node, required in fields(section, "")]
        lines += ["", *rules(section, name)]
    return "\n".join(lines).rstrip() + "\n"


def fields(node: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """All fields below a node, depth first: path, schema, whether it must be given."""
    for name, child in node.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, child, name in node.get("required", [])
        yield from fields(child, f"{path}.")
        yield from fields(child.get("items", {}), f"{path}[].")
        yield from fields(child.get("additionalProperties", {}), f"{path}.*.")


def row(path: str, node: dict[str, Any], required: bool) -> str:
    """One line of the table."""
    default = "required" if required else ""
    if "default" in node and node["default"] != {}:
        default = f"`{yaml.safe_dump(node['default'], default_flow_style=True, width=1000).splitlines()[0]}`"
    return f"| `{path}` | {type_of(node)} | {default} | {node['description'].replace('|', chr(92) + '|')} |"


def type_of(node: dict[str, Any]) -> str:
    """A type in words, with its bounds."""
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if node["type"] == "array":
        key = f" by `{node[LIST_KEYS][0]}`" if LIST_KEYS in node else ""
        return f"list of at most {node['maxItems']}{key}: {type_of(node['items'])}"
    if "additionalProperties" in node:
        return f"map of at most {node['maxProperties']}"
    if node.get("pattern", "").endswith("(ms|s|m|h))+$"):
        return "duration"
    if node.get("format") == "date-time":
        return "time"
    if "maximum" in node:
        return f"integer {node['minimum']}-{node['maximum']}"
    return f"string of at most {node['maxLength']}" if "maxLength" in node else str(node["type"])


def rules(section: dict[str, Any], name: str) -> list[str]:
    """The rules of a section, with the place that they hold for."""
    nodes = [(name, section), *((f"{name}.{path}", node) for path, node, _ in fields(section, ""))]
    nodes += [(f"{path}[]", node["items"]) for path, node in nodes if "items" in node]
    found = [f"- `{path}`: {entry['message']}" for path, node in nodes for entry in node.get(RULES, [])]
    return ["### Rules", "", *sorted(found)] if found else []


def conditions_page() -> str:
    """Every condition type and reason with its meaning."""
    lines = [f"<!-- {NOTE} -->", "# Conditions and reasons", ""]
    for group in vars(reasons).values():
        if isinstance(group, type) and issubclass(group, Documented) and group is not Documented:
            lines += [f"## {group.__name__}", "", group.__doc__ or "", "", "| value | meaning |", "|---|---|"]
            lines += [f"| `{member.value}` | {member.meaning} |" for member in group]
            lines += [""]
    return "\n".join(lines).rstrip() + "\n"


_AUDIT = """The operator writes them among its log lines, to stderr, as JSON with `"audit": true` and `"level": "audit"`, whatever the log
level is. Nothing changes or removes a line: keep them by keeping the operator's log.

    jq -cR 'fromjson? | select(.audit)' < operator.log

Each has `event`, `timestamp` (when it was written) and `namespace` with the object's name: `approval`, `run` or `repo`. One about
what an object's status keeps has `id` and, where that is noted, `at` too (when it came to be). A credential is never in one.

A line is written when the status that it is about has been written, so what is told is so, and it is told once. Where an operator
dies between the two, its successor tells the facts of the last minutes before that again, with the `id` that they have: drop
what you have. An operator that is stopped in good order leaves nothing to be told again. Lines without `at` are lost in such a death.

The operator sees that `spec` has changed, never who changed it: mode, suspension, policy, the annotation that closes a circuit, and
who deleted an object stand in the audit log of the API server, with the user and, for whoever was impersonated, the real one."""


def audit_page() -> str:
    """Every name of an audit line with what it says."""
    lines = [f"<!-- {NOTE} -->", "# Audit lines", "", _AUDIT, "", "| event | what it says |", "|---|---|"]
    lines += [f"| `{event.value}` | {event.meaning} |" for event in AuditEvent]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
