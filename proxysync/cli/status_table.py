"""How `status` looks to a person: a table as wide as the terminal lets it, and what is wrong."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from proxysync.app.status import EntryStatus, overdue
from proxysync.app.status_warnings import StatusWarning
from proxysync.cli.table import KEEP_ALL, Cell, width_of
from proxysync.cli.table import table as table_of
from proxysync.cli.terminal import colours, safe
from proxysync.model import Key, label_among
from proxysync.model.clock import from_text, in_words, local
from proxysync.model.palette import SEVERITIES, paint
from proxysync.model.text import entries as count_of
from proxysync.store.edges import HINT as EDGE_HINT

NOTHING = "–"
SHORTEST = {"NAME": 10, "DOMAINS": 14, "UPSTREAM": 14}
"""Characters that are left at least of what is cut before a column is left out."""

NARROWEST = {"NAME": 4}
"""The same where nothing more can be left out."""

NETWORK_DOWN = "health.network_down"
OUTDATED = "health marked ? is outdated: is the daemon running?"
SYNC_COLOURS = {
    "in sync": "green",
    "pending": "yellow",
    "drift": "yellow",
    "waiting": "yellow",
    "leaving": "yellow",
    "held": "yellow",
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
    """What is wrong with all, how many are how, the table, and what is wrong with each."""
    on = colours(sys.stdout)
    alarms = [f"{paint('!', 'red', on=on)} {safe(warning.message)}" for warning in warnings]
    is_outdated = any(overdue(entry, now) for entry in entries)
    if is_outdated and all(warning.event != NETWORK_DOWN for warning in warnings):
        alarms.append(f"{paint('!', 'red', on=on)} {OUTDATED}")
    troubles = _troubles(entries, _frame(entries, now), on=on)
    shown = table(entries, now, width=terminal_width(), on=on)
    parts = ["\n".join([*alarms, summary(entries)]), shown, "\n".join(troubles)]
    return "\n\n".join(part for part in parts if part)


def summary(entries: Sequence[EntryStatus]) -> str:
    """`42 entries: 36 in sync, 4 blocked, 2 off; 4 unhealthy`."""
    ours = [entry for entry in entries if not entry.is_foreign]
    counts = Counter("off" if entry.sync == "disabled" else entry.sync for entry in ours)
    order = [*SYNC_COLOURS, *sorted(counts.keys() - SYNC_COLOURS.keys())]
    syncs = ", ".join(f"{counts[word]} {word}" for word in order if counts[word])
    ill = [
        (sum(e.health.status == "unhealthy" for e in ours if e.interval), "unhealthy"),
        (sum(e.edge.status == "not_served" for e in ours), "not served"),
        (len(entries) - len(ours), "foreign"),
    ]
    others = ", ".join(f"{number} {word}" for number, word in ill if number)
    return count_of(len(ours)) + (f": {syncs}" if syncs else "") + (f"; {others}" if others else "")


def details(entry: EntryStatus, now: datetime) -> str:
    """What `status NAME` shows besides: uptimes, and the last things that happened to it."""
    on = colours(sys.stdout)
    uptimes = "   ".join(f"{label} {_percent(u.share)}" for label, u in entry.uptime.items())
    checked = entry.health.checked_at
    lines = [
        f"Uptime   {uptimes}",
        f"Counted  {_counted(entry)}",
        f"Checked  {in_words((now - checked).total_seconds()) + ' ago' if checked else NOTHING}",
        *([f"Tags     {', '.join(entry.tags)}"] if entry.tags else ()),
        *([f"Note     {safe(' '.join(entry.note.split()))}"] if entry.note else ()),
        "",
        "Last changes:" if entry.changes else "No changes yet.",
    ]
    for event in entry.changes or ():
        colour = SEVERITIES[event.severity]
        first = safe(event.message.partition("\n")[0])
        lines.append(f"  {local(from_text(event.ts))}  {paint('●', colour, on=on)} {first}")
    return "\n".join(lines)


def terminal_width() -> int | None:
    """Columns that a line may fill; None where nobody looks, so that nothing is left out."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return None


def table(entries: Sequence[EntryStatus], now: datetime, *, width: int | None, on: bool) -> str:
    """The first of LAYOUTS that `width` has room for, its wide columns cut if need be."""
    frame = _frame(entries, now)
    for heads in LAYOUTS:
        shrink = KEEP_ALL if "DOMAINS" in heads else SHORTEST
        titles = [head.rstrip("-") for head in heads]
        rows = [[COLUMNS[head](entry, frame) for head in heads] for entry in entries]
        if width is None or width_of(titles, rows, shrink) <= width:
            break
    else:
        shrink = NARROWEST
    return table_of(titles, rows, width=width, shrink=shrink, on=on)


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
        f"from {local(longest.since)}, {in_words(longest.seconds)} in all; "
        "time without checks does not count"
    )


def _percent(share: float | None) -> str:
    """Rounded down, so that 100 % means that nothing failed."""
    return NOTHING if share is None else f"{int(share * 10000) / 100:.6g} %"


def _troubles(entries: Sequence[EntryStatus], frame: Frame, *, on: bool) -> list[str]:
    """What keeps entries from being well: what several have in common once."""
    names: dict[tuple[str, str | None], list[str]] = {}
    for entry in entries:
        for trouble in _trouble(entry):
            names.setdefault(trouble, []).append(frame.name(entry) or NOTHING)
    lines = []
    for (detail, hint), found in names.items():
        who = ", ".join(paint(safe(name), "bold", on=on) for name in found)
        lines.append(f"{who}: {safe(detail)}")
        if hint:
            lines.append(f"  hint: {safe(hint)}")
    return lines


def _trouble(entry: EntryStatus) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    if entry.detail:
        found.append((entry.detail, entry.hint))
    if entry.health.status == "unhealthy" and entry.health.detail:
        word = "stale" if entry.health.stale else "unhealthy"
        found.append((f"{word}: {entry.health.detail}", entry.health.hint))
    if entry.edge.status == "not_served" and entry.edge.detail:
        found.append((f"not served: {entry.edge.detail}", EDGE_HINT))
    return found


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
    ("NAME", "DOMAINS-", "UPSTREAM", "SYNC", "HEALTH", "EDGE", "SINCE", "UPTIME"),
    ("NAME", "DOMAINS-", "UPSTREAM", "SYNC", "HEALTH", "EDGE", "SINCE"),
    ("NAME", "DOMAINS-", "UPSTREAM", "SYNC", "HEALTH", "EDGE"),
    ("NAME", "DOMAINS-", "SYNC", "HEALTH", "EDGE"),
    ("NAME-", "SYNC", "HEALTH", "EDGE"),
    ("NAME-", "SYNC", "HEALTH"),
)
"""From the widest to the narrowest; DOMAINS- shows the first domain and how many more, NAME-
the same for what has no name. Wide columns are cut before any is left out, and what says whether an
entry works is left out last."""
