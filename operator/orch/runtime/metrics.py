"""Prometheus metrics of the loop. Set by the manager, read at `/metrics`; no label comes from an object's content."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from orch.runtime.pulse import Pulse


class Metrics:
    """One set per process, in a registry of its own so that two can live side by side in a test."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.queue_depth = Gauge(
            "orch_queue_depth", "Keys that are due and wait for a worker.", ["controller"], registry=self.registry
        )
        self.reconciles = Counter(
            "orch_reconcile",
            "Reconciles by outcome: ok, requeued, conflict, error, timeout.",
            ["controller", "outcome"],
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "orch_reconcile_seconds",
            "Duration of a reconcile.",
            ["controller"],
            buckets=(0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300),
            registry=self.registry,
        )
        self.objects = Gauge(
            "orch_cache_objects", "Objects that are watched and remembered.", ["resource"], registry=self.registry
        )
        self.resyncs = Counter(
            "orch_resync_changes", "Changes that only a list has found.", ["resource"], registry=self.registry
        )
        self.watch_age = Gauge(
            "orch_watch_silence_seconds", "Since bytes arrived on a watch.", ["path"], registry=self.registry
        )
        self.leader = Gauge("orch_leader", "1 while this process holds the lease.", registry=self.registry)

    def observe_watches(self, pulse: Pulse) -> None:
        """Bring the ages up to now; called when somebody asks for the metrics."""
        for path, age in pulse.ages().items():
            self.watch_age.labels(path).set(age)
