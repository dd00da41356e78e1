"""The model's stand-in: the Messages API on loopback, answering from scripts. No judgement, no prices belong here."""

from orch.testservers.model.limits import Limits
from orch.testservers.model.scripts import Script, ScriptError, load_scripts, read_scripts
from orch.testservers.model.server import Running, main, serve_in_thread

__all__ = ["Limits", "Running", "Script", "ScriptError", "load_scripts", "main", "read_scripts", "serve_in_thread"]
