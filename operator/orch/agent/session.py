"""What the stages of a step share: its input, the two connections, its record, and how a conversation is opened.

Made by `main`, used by `answer` and `change`. It decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orch.agent import prompts
from orch.agent.client import Tools
from orch.agent.conversation import Conversation
from orch.agent.loop import Loop
from orch.agent.model import Model
from orch.agent.tools import Toolbox
from orch.agent.transcript import Transcript
from orch.api.work import StepInput


@dataclass
class Session:
    """One step at work. `deadline`: monotonic time after which no new work begins; `turns` counts the model's answers."""

    step: StepInput
    model: Model
    tools: Tools
    deadline: float
    transcript: Transcript = field(default_factory=Transcript)
    loop: Loop | None = None

    @property
    def turns(self) -> int:
        return self.loop.turns if self.loop else 0

    def open(self, toolbox: Toolbox, notes: list[str], *, schema: dict[str, Any] | None = None) -> Loop:
        """Begin the conversation: the repository first, then the issue, then the task."""
        instructions = self.tools.instructions(list(prompts.INSTRUCTION_FILES), limit=prompts.INSTRUCTION_BYTES)
        opening = [
            prompts.repository(self.tools.call("list"), instructions),
            prompts.issue(self.step),
            prompts.task(self.step, notes),
        ]
        self.transcript.add("prompt", text="\n\n".join(opening))
        conversation = Conversation(system=prompts.SYSTEM, tools=toolbox.definitions, opening=opening, schema=schema)
        most = self.step.limits.turns
        self.loop = Loop(self.model, conversation, toolbox, self.transcript, most_turns=most, deadline=self.deadline)
        return self.loop
