"""A quick start: the Kubernetes client without the half that nobody here uses, and few looks for garbage.

Called by the console scripts, before all else; the operator, which lives long, only spares itself the client.

`import kubernetes` loads the synchronous client and what it stands on (requests, urllib3, OAuth, websockets), as long as all the
rest of a verb takes to start. The asynchronous one, `kubernetes.aio`, needs none of it.
"""

from __future__ import annotations

import gc
import importlib
import sys
from importlib.util import find_spec, module_from_spec
from typing import Any

_PACKAGE = "kubernetes"


def spare_the_client() -> None:
    """Put the package in place without running it; its parts are loaded when somebody asks for them."""
    spec = find_spec(_PACKAGE)
    if _PACKAGE in sys.modules or spec is None:
        return
    package = module_from_spec(spec)
    package.__getattr__ = _part  # type: ignore[method-assign]
    sys.modules[_PACKAGE] = package


def collect_seldom() -> None:
    """Have garbage looked for seldom: what is imported stays, and to look through it again and again takes a tenth of the start."""
    gc.set_threshold(50_000, 20, 20)


def _part(name: str) -> Any:
    try:
        return importlib.import_module(f"{_PACKAGE}.{name}")
    except ImportError:
        raise AttributeError(name) from None
