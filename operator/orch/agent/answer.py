"""The stages that ask for an answer and change nothing: Analyse and Plan.

Called by `main`. The model looks around with read-only tools and ends with a JSON object; one that does not fit goes back
to it with the reason, twice at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec

from orch.agent.loop import BadAnswer
from orch.agent.schema import answer_schema
from orch.agent.session import Session
from orch.agent.tools import Toolbox
from orch.api.work import Analysis, BadDocument, Plan, StepStage, WorkModel, decode

MOST_CORRECTIONS: Final = 2
_SHOWN: Final = 5

M = TypeVar("M", bound=WorkModel)


def analyse_or_plan(session: Session) -> Analysis | Plan:
    """The answer of an Analyse or Plan step. Raises BadAnswer, and what the loop raises."""
    return _ask(session, Analysis) if session.step.stage is StepStage.ANALYSE else _ask(session, Plan)


def _ask(session: Session, shape: type[M]) -> M:
    toolbox = Toolbox(session.tools, session.step.commands, session.transcript, changing=False)
    loop = session.open(toolbox, [], schema=answer_schema(shape))
    problem = ""
    for _ in range(1 + MOST_CORRECTIONS):
        text = _object_in(loop.until_quiet().text)
        try:
            return decode(text, shape, strict=False)
        except BadDocument as err:
            problem = explain(text, shape) or _said(err)
            loop.say(
                f"That is not the JSON object that the format demands: {problem}. Answer with that object and nothing else."
            )
    raise BadAnswer(f"the model never gave a usable {shape.__name__.lower()}: {problem}")


def _object_in(text: str) -> str:
    """The outermost braces of a text: a fence or a sentence around the object does no harm."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text


def explain(text: str, shape: type[WorkModel]) -> str:
    """What is wrong with each field of an answer, of at most five: `decode` stops at the first problem, and the model has few
    answers left. Empty for what is no object, or only altogether wrong."""
    try:
        given = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return ""
    return "; ".join(_said(problem) for problem in list(_problems(given, shape))[:_SHOWN])


def _problems(given: Mapping[str, msgspec.Raw], shape: type[WorkModel]) -> Iterator[BadDocument]:
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    for name, field in fields.items():
        if name in given:
            problem = _misfit(given[name], field.type)
            if problem is not None:
                yield BadDocument(f"{name}.{problem.place}".rstrip("."), problem.problem)
        elif field.default is msgspec.NODEFAULT:
            yield BadDocument(name, "it is missing")
    for name in given:
        if name not in fields:
            yield BadDocument(name, "there is no such field")


def _misfit(value: msgspec.Raw, kind: Any) -> BadDocument | None:
    try:
        decode(bytes(value), kind, strict=False)
    except BadDocument as err:
        return err
    return None


def _said(problem: BadDocument) -> str:
    return f"{problem.place or 'it'}: {problem.problem}"
