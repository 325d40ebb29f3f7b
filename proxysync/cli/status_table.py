"""How `status` looks to a person: a table as wide as the terminal lets it, and what is wrong."""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from proxysync.app.status import EntryStatus, overdue
from proxysync.app.status_view import StatusWarning
from proxysync.cli.table import Cell, width_of
from proxysync.cli.table import table as table_of
from proxysync.cli.terminal import colours, safe
from proxysync.model import Key, label_among
from proxysync.model.clock import in_words
from proxysync.model.palette import SEVERITIES, paint
from proxysync.store.edges import HINT as EDGE_HINT

NOTHING = "–"
SHORTEST_NAME = 4
"""Characters that are left of a name on the narrowest terminal."""

NETWORK_DOWN = "health.network_down"
SYNC_COLOURS = {
    "in sync": "green",
    "pending": "yellow",
    "drift": "yellow",
    "waiting": "yellow",
    "leaving": "yellow",
    "prune": "yellow",
    "orphan": "yellow",
    "contested": "red",
    "blocked": "red",
    "failed": "red",
    "conflict": "red",
    "unconfirmed": "red",
}


@dataclass(frozen=True)
class Frame:
    """What all rows have in common: the moment, and how each entry is called beside the others."""

    now: datetime
    label: Callable[[Key], str]

    def name(self, entry: EntryStatus) -> str | None:
        return self.label(entry.key) if entry.key else None


Column = Callable[[EntryStatus, Frame], Cell]


def render(entries: Sequence[EntryStatus], warnings: Sequence[StatusWarning], now: datetime) -> str:
    """The table, then what keeps entries from being well, then what threatens NPM."""
    on = colours(sys.stdout)
    parts = [table(entries, now, width=terminal_width(), on=on)]
    frame = _frame(entries, now)
    troubles = [line for entry in entries for line in _trouble(entry, frame, on=on)]
    if troubles:
        parts.append("\n".join(troubles))
    is_outdated = any(overdue(entry, now) for entry in entries)
    if is_outdated and all(warning.event != NETWORK_DOWN for warning in warnings):
        parts.append("Health marked ? is outdated: is the daemon running?")
    if warnings:
        parts.append("\n".join(f"{paint('!', 'red', on=on)} {safe(w.message)}" for w in warnings))
    return "\n\n".join(parts)


def details(entry: EntryStatus, now: datetime) -> str:
    """What `status NAME` shows besides: uptimes, and the last things that happened to it."""
    on = colours(sys.stdout)
    uptimes = "   ".join(f"{label} {_percent(u.share)}" for label, u in entry.uptime.items())
    checked = entry.health.checked_at
    lines = [
        f"Uptime   {uptimes}",
        f"Counted  {_counted(entry)}",
        f"Checked  {in_words((now - checked).total_seconds()) + ' ago' if checked else NOTHING}",
        "",
        "Last changes:" if entry.changes else "No changes yet.",
    ]
    for event in entry.changes or ():
        moment = datetime.fromisoformat(event.ts).astimezone()
        colour = SEVERITIES[event.severity]
        first = safe(event.message.partition("\n")[0])
        lines.append(f"  {moment:%Y-%m-%d %H:%M:%S}  {paint('●', colour, on=on)} {first}")
    return "\n".join(lines)


def terminal_width() -> int | None:
    """Columns that a line may fill; None where nobody looks, so that nothing is left out."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return None


def table(entries: Sequence[EntryStatus], now: datetime, *, width: int | None, on: bool) -> str:
    """The first of LAYOUTS that is not wider than `width`, its names cut if need be."""
    frame = _frame(entries, now)
    for heads in LAYOUTS:
        titles = [head.rstrip("-") for head in heads]
        rows = [[COLUMNS[head](entry, frame) for head in heads] for entry in entries]
        if width is None or width_of(titles, rows) <= width:
            break
    return table_of(titles, rows, width=width, shrink={"NAME": SHORTEST_NAME}, on=on)


def _frame(entries: Sequence[EntryStatus], now: datetime) -> Frame:
    return Frame(now, label_among(entry.key for entry in entries if entry.key))


def _name(entry: EntryStatus, frame: Frame) -> Cell:
    return Cell(frame.name(entry) or NOTHING, None if entry.managed else "dim")


def _name_or_domain(entry: EntryStatus, frame: Frame) -> Cell:
    """For where there is no room for domains: foreign hosts have no name."""
    if entry.name:
        return _name(entry, frame)
    return Cell(_first_domain(entry, frame).text or entry.holder or NOTHING, "dim")


def _domains(entry: EntryStatus, _: Frame) -> Cell:
    return Cell(", ".join(entry.domains))


def _first_domain(entry: EntryStatus, _: Frame) -> Cell:
    more = f" +{len(entry.domains) - 1}" if len(entry.domains) > 1 else ""
    return Cell("".join(entry.domains[:1]) + more)


def _upstream(entry: EntryStatus, _: Frame) -> Cell:
    if entry.upstream is None:
        return Cell(entry.holder or NOTHING, "dim")
    return Cell(entry.upstream)


def _sync(entry: EntryStatus, _: Frame) -> Cell:
    return Cell(entry.sync, SYNC_COLOURS.get(entry.sync, "dim"))


def _health(entry: EntryStatus, frame: Frame) -> Cell:
    if entry.interval is None:
        return Cell(NOTHING, "dim")
    if overdue(entry, frame.now):
        return Cell(f"○ {entry.health.status}?", "dim")
    if entry.health.status == "unknown":
        return Cell("○ unknown", "dim")
    if entry.health.status == "healthy":
        return Cell("● healthy", "green")
    return Cell("● stale" if entry.health.stale else "● unhealthy", "red")


def _edge(entry: EntryStatus, _: Frame) -> Cell:
    if entry.edge.status == "unknown":
        return Cell(NOTHING, "dim")
    if entry.edge.status == "served":
        return Cell("served", "green")
    return Cell("not served", "red")


def _since(entry: EntryStatus, frame: Frame) -> Cell:
    since = entry.health.since
    return Cell(in_words((frame.now - since).total_seconds()) if since else NOTHING)


def _latency(entry: EntryStatus, _: Frame) -> Cell:
    latency = entry.health.latency_ms
    return Cell(NOTHING if latency is None else f"{latency} ms")


def _uptime(entry: EntryStatus, _: Frame) -> Cell:
    share = entry.uptime["24h"].share
    colour = "dim" if share is None else None if share > 0.99 else "yellow"
    return Cell(_percent(share), colour)


def _counted(entry: EntryStatus) -> str:
    longest = entry.uptime["30d"]
    if longest.since is None:
        return NOTHING
    return (
        f"from {longest.since.astimezone():%Y-%m-%d %H:%M}, {in_words(longest.seconds)} in all; "
        "time without checks does not count"
    )


def _percent(share: float | None) -> str:
    """Rounded down, so that 100 % means that nothing failed."""
    return NOTHING if share is None else f"{int(share * 10000) / 100:.6g} %"


def _trouble(entry: EntryStatus, frame: Frame, *, on: bool) -> list[str]:
    found = []
    if entry.detail:
        found.append((entry.detail, entry.hint))
    if entry.health.status == "unhealthy" and entry.health.detail:
        word = "stale" if entry.health.stale else "unhealthy"
        found.append((f"{word}: {entry.health.detail}", entry.health.hint))
    if entry.edge.status == "not_served" and entry.edge.detail:
        found.append((f"not served: {entry.edge.detail}", EDGE_HINT))
    lines = []
    for detail, hint in found:
        lines.append(f"{paint(safe(frame.name(entry) or NOTHING), 'bold', on=on)}: {safe(detail)}")
        if hint:
            lines.append(f"  hint: {safe(hint)}")
    return lines


COLUMNS: dict[str, Column] = {
    "NAME": _name,
    "NAME-": _name_or_domain,
    "DOMAINS": _domains,
    "DOMAINS-": _first_domain,
    "UPSTREAM": _upstream,
    "SYNC": _sync,
    "HEALTH": _health,
    "EDGE": _edge,
    "SINCE": _since,
    "LATENCY": _latency,
    "UPTIME": _uptime,
}
LAYOUTS = (
    ("NAME", "DOMAINS", "UPSTREAM", "SYNC", "HEALTH", "EDGE", "SINCE", "LATENCY", "UPTIME"),
    ("NAME", "DOMAINS-", "UPSTREAM", "SYNC", "HEALTH", "EDGE", "SINCE", "LATENCY", "UPTIME"),
    ("NAME", "DOMAINS-", "SYNC", "HEALTH", "SINCE", "LATENCY", "UPTIME"),
    ("NAME-", "SYNC", "HEALTH", "SINCE", "LATENCY", "UPTIME"),
    ("NAME-", "SYNC", "HEALTH", "SINCE"),
    ("NAME-", "SYNC", "HEALTH"),
)
"""From the widest to the narrowest; DOMAINS- shows the first domain and how many more, NAME-
the same for what has no name."""
