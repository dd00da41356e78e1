"""Logging for the whole process: JSON lines (or a console) through structlog, with stable event names and no token in
it.

`setup_logging` is called once by each program, `record` wherever something happens that an auditor asks about: who
or what, on which object, with what outcome. The standard library's loggers (kopf, uvicorn, kubernetes) pass through
here too.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, TextIO

import structlog
from structlog.typing import Processor

from orch.api.audit import AuditEvent

LEVEL_VARIABLE: Final = "ORCH_LOG_LEVEL"
"""debug, info, warning or error; wins over the argument, so that a running Deployment can be made to talk."""

FORMATS: Final = ("json", "console")

# Shapes of credentials that must not survive in a log, whatever put them there. What they begin with is kept.
_TOKENS: Final = re.compile(
    r"(?i)(gh[pousr]_|github_pat_|sk-ant-|xox[abpr]-|\beyJ|"
    r"\bauthorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token)\s+)?|\b(?:bearer|basic)\s+)"
    r"[A-Za-z0-9_\-.~+/=]{6,}"
)
_PASSWORD: Final = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")
_REDACTED: Final = r"\1[redacted]"

_QUIET: Final = {
    "kopf": logging.WARNING,
    "kubernetes": logging.WARNING,
    "uvicorn": logging.WARNING,
    "httpx2": logging.WARNING,
    "asyncio": logging.WARNING,
}
_SIGNALS_ARE_OURS: Final = "OS signals are ignored"


def setup_logging(level: str = "info", fmt: str = "json", *, stream: TextIO | None = None) -> None:
    """Send all logging of the process to `stream` (default: stderr). Raises ValueError for a bad level or format."""
    name = (os.environ.get(LEVEL_VARIABLE) or level).upper()
    number = logging.getLevelNamesMapping().get(name)
    if number is None:
        raise ValueError(f"unknown log level {name.lower()!r}: use debug, info, warning or error")
    if fmt not in FORMATS:
        raise ValueError(f"unknown log format {fmt!r}: use {' or '.join(FORMATS)}")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(fmt)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for library, quiet in _QUIET.items():
        logging.getLogger(library).setLevel(max(number, quiet))
    for part in ("running", "orchestration"):
        logging.getLogger(f"kopf._core.reactor.{part}").addFilter(_is_kopfs_to_say)


def record(event: AuditEvent, **facts: object) -> None:
    """Write an audit line, always, whatever the level. Names are API: see `orch.api.audit`.

    Raises ValueError for any other name: nobody would know that such a line is to be searched for.
    """
    if not isinstance(event, AuditEvent):
        raise ValueError(f"{event!r} is no name of an audit line: add it to orch.api.audit")
    structlog.get_logger("orch.audit").critical(event.value, audit=True, **facts)


@contextmanager
def about(**names: str) -> Iterator[None]:
    """Put `repo`, `run`, `stage` and the like on every line written inside, by this task and those it starts."""
    with structlog.contextvars.bound_contextvars(**names):
        yield


def redact(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: what looks like a credential becomes `[redacted]`, in nested values and tracebacks too."""
    for key, value in entry.items():
        if not key.startswith("_"):
            entry[key] = _clean(value)
    if entry.get("audit") is True:
        entry["level"] = "audit"
    return entry


def _is_kopfs_to_say(entry: logging.LogRecord) -> bool:
    """False for what we know, and for a watch that the API server refuses: `watch.ended` says it in a line, without the
    tracebacks of all the tasks that it passed through."""
    refused = entry.exc_info is not None and isinstance(getattr(entry.exc_info[1], "status", None), int)
    return not refused and _SIGNALS_ARE_OURS not in entry.getMessage()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _scrub(value)
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {key: _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _scrub(str(value))


def _scrub(text: str) -> str:
    return _PASSWORD.sub(_REDACTED, _TOKENS.sub(_REDACTED, text))


def _renderer(fmt: str) -> Processor:
    if fmt == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
