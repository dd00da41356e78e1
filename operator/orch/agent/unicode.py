"""Text as it can be sent on. JSON can escape halves of surrogate pairs (RFC 8259, section 8.2), as a model or a repository's file
names that are no UTF-8 bring them (PEP 383), and no request can carry one.

Called by what reads JSON: `wire` and `sse`."""

from __future__ import annotations

import json
from typing import Any


def encodable(value: Any) -> Any:
    """A value out of JSON with U+FFFD for each half of a pair that stands alone; otherwise the value itself.

    Raises ValueError, RecursionError where JSON cannot be made of it."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return value
