"""`python -m orch.agent`: one work step. The program is `orch.agent.main`."""

from __future__ import annotations

import os
import sys

from orch.agent.lifeline import end_when_unheard
from orch.agent.main import main

end_when_unheard(sys.stdout.fileno())
status = main(sys.argv[1:])
sys.stdout.flush()
os._exit(status)  # a tidy end of the interpreter takes a tenth of the time that a short step takes in all
