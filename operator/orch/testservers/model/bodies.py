"""Reads the JSON body of a request that may be too long, broken or hostile.

Called by `app`. It never keeps more than the limit in memory.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from starlette.requests import Request

from orch.testservers.model.errors import ApiError, invalid

MAX_BYTES: Final = 32 * 1024 * 1024
"""Source: "Errors: request size limits" of the Claude API reference."""


async def read_json(request: Request, *, max_bytes: int = MAX_BYTES) -> Any:
    """The body. Raises ApiError 413 above `max_bytes`, 400 when it is not JSON or not text."""
    data, size = bytearray(), 0
    async for chunk in request.stream():  # to the end, or the client would see a broken connection instead of the 413
        size += len(chunk)
        if size <= max_bytes:
            data += chunk
    if size > max_bytes:
        raise ApiError(413)
    try:
        body = json.loads(data, parse_constant=_refuse)
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise invalid("The request body is not valid JSON: no low surrogate in string") from None
    except RecursionError:
        raise invalid("The request body is not valid JSON: recursion limit exceeded") from None
    except ValueError as err:
        raise invalid(f"The request body is not valid JSON: {err}") from None
    return body


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")
