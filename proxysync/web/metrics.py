"""How all is at a scrape, as Prometheus reads it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from proxysync import __version__
from proxysync.app.status import LEFT, SYNC, EntryStatus
from proxysync.app.status_view import Status
from proxysync.app.vitals import Vitals
from proxysync.config.errors import ConfigError
from proxysync.health.certificates import call
from proxysync.kinds.covering import expires_at
from proxysync.model.errors import ProxysyncError
from proxysync.model.health import STATUSES
from proxysync.model.redact import redact_text

OF_ENTRY = ("kind", "name")

FLAGS = {
    "proxysync_paused": ("daemon.paused", "Whether a person has paused the daemon."),
    "proxysync_held": ("daemon.held", "Whether the file is not applied after a rollback."),
    "proxysync_plan_refused": (
        "plan.refused",
        "Whether a guard keeps the plan from being applied.",
    ),
}
"""By the warning of `status` that says so."""


class StatusCollector(Collector):
    """Reads how all is when it is asked; what has left the file leaves the metrics."""

    def __init__(self, read: Callable[[], Status], vitals: Vitals) -> None:
        self._read = read
        self._vitals = vitals

    def describe(self) -> list[Metric]:
        """Nothing: whoever registers this need not read how all is."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            status = self._read()
        except ProxysyncError:
            status = None
        yield InfoMetricFamily(
            "proxysync_build", "The version that runs.", {"version": __version__}
        )
        yield _flag(
            "proxysync_status_readable", "Whether the state could be read.", status is not None
        )
        yield from _moments(self._vitals)
        if status is not None:
            yield from _whole(status)
            entries = [e for e in status.entries if _is_asked_for(e)]
            yield from _entries(entries, status)


def _is_asked_for(entry: EntryStatus) -> bool:
    """Whether the file has it, as far as that can be read."""
    return entry.key is not None and not (
        entry.is_foreign or entry.sync in LEFT or entry.sync == "orphan"
    )


def _moments(vitals: Vitals) -> Iterator[Metric]:
    yield _moment(
        "proxysync_file_loaded_timestamp_seconds",
        "When the file was last loaded.",
        vitals.loaded_at,
    )
    about = "When NPM was last brought in sync with the file, as far as it could be."
    yield _moment("proxysync_last_sync_timestamp_seconds", about, vitals.synced_at)


def _whole(status: Status) -> Iterator[Metric]:
    """What is about no one entry."""
    events = Counter(warning.event for warning in status.warnings)
    yield _flag(
        "proxysync_file_valid", "Whether the file has no errors.", ConfigError.code not in events
    )
    yield _flag("proxysync_npm_up", "Whether NPM answers the API.", status.trouble is None)
    for name, (event, about) in FLAGS.items():
        yield _flag(name, about, event in events)
    warnings = _family("proxysync_warnings", "What threatens more than one entry now.", ("event",))
    for event, count in events.items():
        warnings.add_metric([event], count)
    yield warnings
    certificates = _family(
        "proxysync_certificate_expiry_timestamp_seconds",
        "When a certificate in use expires, be it the file's or not.",
        ("npm_id", "name"),
    )
    for certificate in status.certificates:
        moment = expires_at(certificate)
        if moment is not None:
            labels = [str(certificate.npm_id), redact_text(call(certificate), status.secrets)]
            certificates.add_metric(labels, moment.timestamp())
    yield certificates


def _entries(entries: Iterable[EntryStatus], status: Status) -> Iterator[Metric]:
    up = _family("proxysync_entry_up", "Whether the upstream is healthy.", OF_ENTRY)
    served = _family(
        "proxysync_entry_served", "Whether NPM's nginx serves it to visitors.", OF_ENTRY
    )
    sync = _family(
        "proxysync_entry_sync", "1 for the sync state that it has.", (*OF_ENTRY, "state")
    )
    stale = _family(
        "proxysync_entry_stale", "Whether it may be a leftover, down for so long.", OF_ENTRY
    )
    latency = _family("proxysync_entry_latency_seconds", "How long its last answer took.", OF_ENTRY)
    checked = _family(
        "proxysync_entry_checked_timestamp_seconds", "When it was last checked.", OF_ENTRY
    )
    uptime = _family(
        "proxysync_entry_uptime_ratio",
        "The share of the time that it was healthy, of what is known.",
        (*OF_ENTRY, "window"),
    )
    for entry in entries:
        assert entry.key is not None
        labels = [entry.kind, redact_text(entry.key.name, status.secrets)]
        sync.add_metric([*labels, entry.sync], 1)
        health = entry.health
        if health.status != "unknown":
            up.add_metric(labels, health.status == "healthy")
            stale.add_metric(labels, health.stale)
        if entry.edge.status != "unknown":
            served.add_metric(labels, entry.edge.status == "served")
        if health.latency_ms is not None:
            latency.add_metric(labels, health.latency_ms / 1000)
        if health.checked_at is not None:
            checked.add_metric(labels, health.checked_at.timestamp())
        for window, measured in entry.uptime.items():
            if measured.share is not None:
                uptime.add_metric([*labels, window], measured.share)
    yield from (up, served, sync, stale, latency, checked, uptime)
    every = [entry.sync.partition(" (")[0] for entry in status.entries]
    yield _counted("proxysync_sync_entries", "Entries, and hosts that none asks for.", SYNC, every)
    watched = [entry.health.status for entry in entries if entry.interval is not None]
    yield _counted(
        "proxysync_health_entries", "Entries that are checked, by health.", STATUSES, watched
    )


def _counted(name: str, about: str, known: Iterable[str], found: Iterable[str]) -> Metric:
    """How many there are of each; of none, too, for a rule cannot see what is missing."""
    counts = Counter(found)
    family = _family(name, about, ("state",))
    for state in known:
        family.add_metric([state], counts[state])
    return family


def _family(name: str, about: str, labels: Iterable[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, labels=list(labels))


def _flag(name: str, about: str, value: bool) -> Metric:  # noqa: FBT001 - it is the value
    return GaugeMetricFamily(name, about, value=int(value))


def _moment(name: str, about: str, moment: datetime | None) -> Metric:
    """0 where it has not happened: a rule reads that as long ago."""
    seconds = moment.timestamp() if moment else 0
    return GaugeMetricFamily(name, about, value=seconds)
