"""How `status` looks to a person: a table as wide as the terminal lets it, and what is wrong."""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from proxysync.app.status import ProxyStatus, overdue
from proxysync.cli.table import Cell, width_of
from proxysync.cli.table import table as table_of
from proxysync.cli.terminal import colours, safe
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


Column = Callable[[ProxyStatus, datetime], Cell]


def render(
    proxies: Sequence[ProxyStatus], warnings: Sequence[dict[str, Any]], now: datetime
) -> str:
    """The table, then what keeps proxies from being well, then what threatens NPM."""
    on = colours(sys.stdout)
    parts = [table(proxies, now, width=terminal_width(), on=on)]
    troubles = [line for proxy in proxies for line in _trouble(proxy, on=on)]
    if troubles:
        parts.append("\n".join(troubles))
    old = [proxy.name or "" for proxy in proxies if overdue(proxy, now)]
    if old and all(warning["event"] != NETWORK_DOWN for warning in warnings):
        parts.append(
            f"The health of {len(old)} with a ? is from before, for they are not checked now: "
            "does `proxysync run` run?"
        )
    if warnings:
        parts.append(
            "\n".join(f"{paint('!', 'red', on=on)} {safe(w['message'])}" for w in warnings)
        )
    return "\n\n".join(parts)


def details(proxy: ProxyStatus, now: datetime) -> str:
    """What `status NAME` shows besides: uptimes, and the last things that happened to it."""
    on = colours(sys.stdout)
    uptimes = "   ".join(f"{label} {_percent(u.share)}" for label, u in proxy.uptime.items())
    checked = proxy.health.checked_at
    lines = [
        f"Uptime   {uptimes}",
        f"Counted  {_counted(proxy)}",
        f"Checked  {in_words((now - checked).total_seconds()) + ' ago' if checked else NOTHING}",
        "",
        "Last changes:" if proxy.changes else "No changes yet.",
    ]
    for event in proxy.changes or ():
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


def table(proxies: Sequence[ProxyStatus], now: datetime, *, width: int | None, on: bool) -> str:
    """The first of LAYOUTS that is not wider than `width`, its names cut if need be."""
    for heads in LAYOUTS:
        titles = [head.rstrip("-") for head in heads]
        rows = [[COLUMNS[head](proxy, now) for head in heads] for proxy in proxies]
        if width is None or width_of(titles, rows) <= width:
            break
    return table_of(titles, rows, width=width, shrink={"NAME": SHORTEST_NAME}, on=on)


def _name(proxy: ProxyStatus, _: datetime) -> Cell:
    return Cell(proxy.name or NOTHING, None if proxy.managed else "dim")


def _name_or_domain(proxy: ProxyStatus, now: datetime) -> Cell:
    """For where there is no room for domains: foreign hosts have no name."""
    if proxy.name:
        return _name(proxy, now)
    return Cell(_first_domain(proxy, now).text or proxy.holder or NOTHING, "dim")


def _domains(proxy: ProxyStatus, _: datetime) -> Cell:
    return Cell(", ".join(proxy.domains))


def _first_domain(proxy: ProxyStatus, _: datetime) -> Cell:
    more = f" +{len(proxy.domains) - 1}" if len(proxy.domains) > 1 else ""
    return Cell("".join(proxy.domains[:1]) + more)


def _upstream(proxy: ProxyStatus, _: datetime) -> Cell:
    if proxy.upstream is None:
        return Cell(proxy.holder or NOTHING, "dim")
    return Cell(proxy.upstream)


def _sync(proxy: ProxyStatus, _: datetime) -> Cell:
    return Cell(proxy.sync, SYNC_COLOURS.get(proxy.sync, "dim"))


def _health(proxy: ProxyStatus, now: datetime) -> Cell:
    if proxy.interval is None:
        return Cell(NOTHING, "dim")
    if overdue(proxy, now):
        return Cell(f"○ {proxy.health.status}?", "dim")
    if proxy.health.status == "unknown":
        return Cell("○ unknown", "dim")
    if proxy.health.status == "healthy":
        return Cell("● healthy", "green")
    return Cell("● stale" if proxy.health.stale else "● unhealthy", "red")


def _edge(proxy: ProxyStatus, _: datetime) -> Cell:
    if proxy.edge.status == "unknown":
        return Cell(NOTHING, "dim")
    if proxy.edge.status == "served":
        return Cell("served", "green")
    return Cell("not served", "red")


def _since(proxy: ProxyStatus, now: datetime) -> Cell:
    since = proxy.health.since
    return Cell(in_words((now - since).total_seconds()) if since else NOTHING)


def _latency(proxy: ProxyStatus, _: datetime) -> Cell:
    latency = proxy.health.latency_ms
    return Cell(NOTHING if latency is None else f"{latency} ms")


def _uptime(proxy: ProxyStatus, _: datetime) -> Cell:
    share = proxy.uptime["24h"].share
    colour = "dim" if share is None else None if share > 0.99 else "yellow"
    return Cell(_percent(share), colour)


def _counted(proxy: ProxyStatus) -> str:
    longest = proxy.uptime["30d"]
    if longest.since is None:
        return NOTHING
    return (
        f"from {longest.since.astimezone():%Y-%m-%d %H:%M}, {in_words(longest.seconds)} in all; "
        "time without checks does not count"
    )


def _percent(share: float | None) -> str:
    """Rounded down, so that 100 % means that nothing failed."""
    return NOTHING if share is None else f"{int(share * 10000) / 100:.6g} %"


def _trouble(proxy: ProxyStatus, *, on: bool) -> list[str]:
    found = []
    if proxy.detail:
        found.append((proxy.detail, proxy.hint))
    if proxy.health.status == "unhealthy" and proxy.health.detail:
        word = "stale" if proxy.health.stale else "unhealthy"
        found.append((f"{word}: {proxy.health.detail}", proxy.health.hint))
    if proxy.edge.status == "not_served" and proxy.edge.detail:
        found.append((f"not served: {proxy.edge.detail}", EDGE_HINT))
    lines = []
    for detail, hint in found:
        lines.append(f"{paint(safe(proxy.name or NOTHING), 'bold', on=on)}: {safe(detail)}")
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
