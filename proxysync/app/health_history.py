"""How well each entry did: 90 days, and its last checks."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from proxysync.app.state_folder import read_folder
from proxysync.model import Key
from proxysync.model.clock import to_text
from proxysync.model.figures import Figures
from proxysync.store.health_history import HealthHistory, PastCheck

DAYS = 90
"""As long as daily figures are kept."""

FEW, MANY = 40, 300
"""Last checks: in the list of all, and of a single entry."""


@dataclass(frozen=True)
class EntryHistory:
    """Of one entry: the figures of its days, in UTC, and its last checks, the oldest first."""

    key: Key
    days: Mapping[date, Figures] = field(default_factory=dict)
    checks: Sequence[PastCheck] = ()

    def to_json(self) -> dict[str, Any]:
        """All that is known."""
        return {
            "kind": self.key.kind,
            "name": self.key.name,
            "days": [
                {
                    "day": day.isoformat(),
                    "checks": figures.total,
                    "ok": figures.ok,
                    "p50": figures.p50,
                    "p95": figures.p95,
                }
                for day, figures in sorted(self.days.items())
            ],
            "checks": [
                {"at": to_text(check.at), "ok": check.ok, "latency_ms": check.latency_ms}
                for check in self.checks
            ],
        }

    def to_row(self, today: date) -> dict[str, Any]:
        """The same for a long list: `days` has the share of good checks of each day up to today.

        It begins with the first day of which something is known; null is a day without checks.
        `latencies` are those of the last checks, null for a failed one.
        """
        first = min(self.days, default=today)
        days = (first + timedelta(days=n) for n in range((today - first).days + 1))
        return {
            "kind": self.key.kind,
            "name": self.key.name,
            "days": [_share(self.days.get(day)) for day in days],
            "latencies": [check.latency_ms if check.ok else None for check in self.checks],
        }


@dataclass(frozen=True)
class Histories:
    """Those of many entries; `today` is the day in UTC that each ends with."""

    today: date
    entries: tuple[EntryHistory, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "today": self.today.isoformat(),
            "entries": [entry.to_row(self.today) for entry in self.entries],
        }


def histories(state_dir: Path, keys: Collection[Key], now: datetime) -> Histories:
    """The histories of these entries, of which those without any checks are left out."""
    today = now.astimezone(UTC).date()
    days, checks = _read(state_dir, now, FEW)
    return Histories(
        today,
        tuple(
            EntryHistory(key, days.get(key, {}), checks.get(key, ()))
            for key in keys
            if key in days or key in checks
        ),
    )


def history_of(state_dir: Path, key: Key, now: datetime) -> EntryHistory:
    """The history of one entry, empty where it was never checked."""
    days, checks = _read(state_dir, now, MANY, key)
    return EntryHistory(key, days.get(key, {}), checks.get(key, ()))


def _read(
    state_dir: Path, now: datetime, number: int, only: Key | None = None
) -> tuple[dict[Key, dict[date, Figures]], dict[Key, list[PastCheck]]]:
    first = now.astimezone(UTC).date() - timedelta(days=DAYS - 1)
    with closing(read_folder(state_dir)) as stored:
        if stored.database is None:
            return {}, {}
        past = HealthHistory(stored.database)
        return past.days(first, now, only), past.last_checks(number, only)


def _share(figures: Figures | None) -> float | None:
    """Rounded down, so that 1 means that nothing failed."""
    if figures is None or not figures.total:
        return None
    return figures.ok * 10000 // figures.total / 10000
