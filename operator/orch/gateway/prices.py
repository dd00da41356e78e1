"""What a call costs, and what it can cost at most. Pure, but for reading the table.

Read once at start by `main`. A model that the table does not name has no price, and a call without a price is refused:
nothing here guesses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

_DATE: Final = re.compile(r"-\d{8}$")
_TOKENS: Final = 10**6

Rate = Annotated[Decimal, Field(ge=0, le=100_000, decimal_places=6)]
"""US dollars per million tokens, which is picodollars per token divided by a million."""


@dataclass(frozen=True)
class Tokens:
    """What a call has used, as the Messages API bills it. `input` is what was neither read from nor written to the cache."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    @property
    def cache_write(self) -> int:
        return self.cache_write_5m + self.cache_write_1h

    @property
    def prompt(self) -> int:
        """All tokens of the request."""
        return self.input + self.cache_read + self.cache_write


class Rates(BaseModel):
    """The five prices of a token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Rate
    output: Rate
    cache_write_5m: Rate
    cache_write_1h: Rate
    cache_read: Rate

    def cost(self, tokens: Tokens) -> int:
        """Picodollars."""
        dollars = (
            tokens.input * self.input
            + tokens.output * self.output
            + tokens.cache_read * self.cache_read
            + tokens.cache_write_5m * self.cache_write_5m
            + tokens.cache_write_1h * self.cache_write_1h
        )
        return int(dollars * _TOKENS)

    def worst(self, prompt: int, max_tokens: int, lifetimes: frozenset[str]) -> int:
        """Picodollars for a prompt of at most so many tokens. `lifetimes`: those of the cache entries it may write."""
        dearest = max(
            self.input,
            self.cache_read,
            self.cache_write_5m if lifetimes else self.input,
            self.cache_write_1h if "1h" in lifetimes else self.input,
        )
        return int((prompt * dearest + max_tokens * self.output) * _TOKENS)


class LongPrompt(Rates):
    """The prices of a whole request whose prompt is longer than `above` tokens."""

    above: Annotated[int, Field(gt=0)]


class Price(Rates):
    """What one model costs."""

    long_prompt: LongPrompt | None = None

    def charge(self, tokens: Tokens) -> int:
        """Picodollars for a call that used so much."""
        long = self.long_prompt
        return long.cost(tokens) if long is not None and tokens.prompt > long.above else self.cost(tokens)

    def reserve(self, prompt: int, max_tokens: int, lifetimes: frozenset[str]) -> int:
        """The most that a call can cost, in picodollars, if its prompt has at most `prompt` tokens."""
        long = self.long_prompt
        base = self.worst(prompt, max_tokens, lifetimes)
        return (
            max(base, long.worst(prompt, max_tokens, lifetimes)) if long is not None and prompt > long.above else base
        )


_TABLE: Final = TypeAdapter(dict[str, Price | None])


class Prices:
    """The table. A dated id has the price of the id without its date, and nothing else that only begins alike."""

    def __init__(self, table: Mapping[str, Price]) -> None:
        self._table = dict(table)

    def find(self, model: str) -> tuple[str, Price] | None:
        """The table's name of the model, and its price."""
        for name in (model, _DATE.sub("", model)):
            if name in self._table:
                return name, self._table[name]
        return None


def load_prices(override: Path | None = None) -> Prices:
    """The packaged table, under the entries of `override`. Raises ValueError that names file and place."""
    text = resources.files("orch.gateway").joinpath("prices.yaml").read_text(encoding="utf-8")
    table = _read(text, "prices.yaml")
    if override is not None:
        try:
            table |= _read(override.read_text(encoding="utf-8"), str(override))
        except (OSError, UnicodeDecodeError) as err:
            raise ValueError(f"{override}: cannot be read: {err}") from err
    return Prices({name: price for name, price in table.items() if price is not None})


def _read(text: str, name: str) -> dict[str, Price | None]:
    try:
        return _TABLE.validate_python(yaml.safe_load(text))
    except yaml.YAMLError as err:
        raise ValueError(f"{name}: not valid YAML: {' '.join(str(err).split())}") from err
    except ValidationError as err:
        first = err.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from err
