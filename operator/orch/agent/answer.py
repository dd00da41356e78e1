"""The stages that ask for an answer and change nothing: Analyse and Plan.

Called by `main`. The model looks around with read-only tools and ends with a JSON object; one that does not fit goes back
to it with the reason, twice at most.
"""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import ValidationError

from orch.agent.loop import BadAnswer
from orch.agent.schema import answer_schema
from orch.agent.session import Session
from orch.agent.tools import Toolbox
from orch.api.work import Analysis, Plan, StepStage, WorkModel

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
        text = loop.until_quiet().text
        try:
            return shape.model_validate_json(_object_in(text))
        except ValidationError as err:
            problem = _explain(err)
            loop.say(
                f"That is not the JSON object that the format demands: {problem}. Answer with that object and nothing else."
            )
    raise BadAnswer(f"the model never gave a usable {shape.__name__.lower()}: {problem}")


def _object_in(text: str) -> str:
    """The outermost braces of a text: a fence or a sentence around the object does no harm."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text


def _explain(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg'][:200]}" for one in problems[:_SHOWN])
