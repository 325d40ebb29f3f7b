"""What is counted while the daemon runs: how long things take, and what happens.

Counters begin at 0 with the daemon. Each series that can be is there from the start, for a rate
is only seen of one that was there before.
"""

from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from proxysync.kinds import KINDS
from proxysync.model.catalogue import CATALOGUE
from proxysync.model.event import Event

CHECK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds; a check may take 5 for TCP and 10 for HTTP by default."""

NPM_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
"""Seconds; a write, for which nginx is reloaded, may take 120."""

DONE = {
    "proxy.created": "create",
    "proxy.updated": "update",
    "proxy.deleted": "delete",
    "proxy.adopted": "adopt",
    "proxy.released": "release",
}
"""What was done, by the event that tells of it."""

FAILED = "proxy.failed"


class Instruments:
    """Histograms and counters in a registry of their own; see `app.vitals.Gauges`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # nobody reads those
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._checks = Histogram(
            "proxysync_health_check_duration_seconds",
            "How long health checks of upstreams took, by whether all was well.",
            ("kind", "result"),
            buckets=CHECK_BUCKETS,
            registry=self.registry,
        )
        self._exchanges = Histogram(
            "proxysync_npm_request_duration_seconds",
            "How long requests to NPM took, by status; code is none where no answer came.",
            ("method", "code"),
            buckets=NPM_BUCKETS,
            registry=self.registry,
        )
        self._events = self._counter(
            "proxysync_events_total", "Events.", "event", "severity", "source"
        )
        self._changes = self._counter(
            "proxysync_changes_total", "Changes made in NPM.", "kind", "action"
        )
        self._failures = self._counter(
            "proxysync_change_failures_total",
            "Changes that NPM or nginx refused.",
            "kind",
            "action",
        )
        self._drift = self._counter(
            "proxysync_drift_fixed_total", "Changes made in NPM by others that were undone.", "kind"
        )
        self._begin()

    def checked(self, kind: str, seconds: float, *, ok: bool) -> None:
        self._checks.labels(kind, "good" if ok else "failed").observe(seconds)

    def exchanged(self, method: str, status: int | None, seconds: float) -> None:
        self._exchanges.labels(method, "none" if status is None else str(status)).observe(seconds)

    def hear(self, events: Sequence[Event]) -> None:
        """Counts what has happened."""
        for event in events:
            self._events.labels(event.event, event.severity, event.source).inc()
            kind = event.key.kind if event.key else None
            if kind is not None and event.event in DONE:
                self._changes.labels(kind, DONE[event.event]).inc()
                if event.data.get("drift"):
                    self._drift.labels(kind).inc()
            elif kind is not None and event.event == FAILED:
                self._failures.labels(kind, str(event.data.get("action"))).inc()

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _begin(self) -> None:
        for one in CATALOGUE.values():
            for severity in one.severities:
                self._events.labels(one.name, severity, one.source)
        for kind in KINDS:
            self._drift.labels(kind)
            for action in DONE.values():
                self._changes.labels(kind, action)
                self._failures.labels(kind, action)
