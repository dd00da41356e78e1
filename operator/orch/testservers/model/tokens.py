"""A deterministic estimate of tokens: four bytes of UTF-8 are one token, rounded up for each block.

Called by the prompt cache, the answers and `count_tokens`, so that all figures of the stand-in agree with each other.
It never equals the true tokenizer's count and does not try to.
"""

from __future__ import annotations

import json
from typing import Any, Final

BYTES_PER_TOKEN: Final = 4
IMAGE_TOKENS: Final = 1600
"""About what the documentation gives for an image of 1.15 megapixels."""


def canonical(value: object) -> str:
    """JSON with sorted keys and no white space: equal content gives equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def text_tokens(text: str) -> int:
    """Tokens of a text; the empty text has none."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def block_tokens(block: dict[str, Any]) -> int:
    """Tokens of one content block or tool definition in its JSON form."""
    match block.get("type"):
        case "text":
            return text_tokens(block["text"])
        case "thinking":
            return text_tokens(block["thinking"])
        case "image":
            return IMAGE_TOKENS
        case "tool_result":
            return sum(map(block_tokens, block.get("content") or [])) + 1
    return text_tokens(canonical(block))
