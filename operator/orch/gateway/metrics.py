"""Prometheus metrics of the gateway. No label comes from a client: models are those of the price table, stages are ours.

Set by `calls` and `app`, read at `/metrics`. What a single run has used is at `/usage`, never in a label.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from orch.gateway.money import PER_USD
from orch.gateway.prices import Tokens


class Metrics:
    """One set per application, in a registry of its own so that two can live side by side in a test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "orch_model_calls",
            "Model calls by outcome: settled, lost (charged their reserve), refused (by the service; free), unsent.",
            ["model", "stage", "outcome"],
            registry=self.registry,
        )
        self._tokens = Counter(
            "orch_model_tokens",
            "Tokens of settled calls by kind: input, output, cache_read, cache_write.",
            ["model", "stage", "kind"],
            registry=self.registry,
        )
        self._cost = Counter(
            "orch_model_cost_usd", "US dollars charged for model calls.", ["model", "stage"], registry=self.registry
        )
        self._reserved = Gauge(
            "orch_model_reserved_usd", "US dollars that calls under way may still cost.", registry=self.registry
        )
        self._refusals = Counter(
            "orch_gateway_refusals", "Requests that the gateway itself refused.", ["reason"], registry=self.registry
        )

    def count_call(self, model: str, stage: str, outcome: str, *, cost: int = 0, tokens: Tokens | None = None) -> None:
        """A call is over. `cost` in picodollars."""
        self._calls.labels(model, stage, outcome).inc()
        self._cost.labels(model, stage).inc(cost / PER_USD)
        if tokens is not None:
            for kind in ("input", "output", "cache_read", "cache_write"):
                self._tokens.labels(model, stage, kind).inc(getattr(tokens, kind))

    def count_refusal(self, reason: str) -> None:
        self._refusals.labels(reason).inc()

    def set_reserved(self, amount: int) -> None:
        """Picodollars that all calls under way may still cost."""
        self._reserved.set(amount / PER_USD)
