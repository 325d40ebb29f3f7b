"""Every event that is ever raised. `python -m proxysync.model.catalogue` writes docs/events.md."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from proxysync.model.event import SOURCES, NewEvent, Severity, Source

HINT = "what to do about it"
COMMIT = "where it is from, null for a file that is not from a repository"
NPM_ID = "the host's id in NPM, null where it has none"


@dataclass(frozen=True)
class EventType:
    """What one kind of event means. `data` says what stands in the event's `data`, by its keys.

    Where it has several severities, whoever raises it says which.
    """

    name: str
    source: Source
    severities: tuple[Severity, ...]
    meaning: str
    data: Mapping[str, str] = field(default_factory=dict)

    def severity_of(self, event: NewEvent) -> Severity:
        """Raises ValueError where `event` does not follow this type."""
        unknown = sorted(event.data.keys() - self.data.keys())
        if unknown:
            raise ValueError(f"the catalogue knows no {', '.join(unknown)} in {self.name}")
        severity = event.severity or self.severities[0]
        chosen = event.severity is not None or len(self.severities) == 1
        if not chosen or severity not in self.severities:
            raise ValueError(f"{self.name} needs one of these severities: {self.severities}")
        return severity


def type_of(event: NewEvent) -> EventType:
    """Raises ValueError for an event that is not in the catalogue."""
    found = CATALOGUE.get(event.event)
    if found is None:
        raise ValueError(f"the catalogue knows no event {event.event}")
    return found


_TYPES = (
    EventType(
        "config.loaded", "config", ("info",),
        "The file was read, is valid, and is the one that NPM is made to match from now on.",
        {
            "fingerprint": "identifies the file's content",
            "entries": "how many entries it has",
            "commit": COMMIT,
        },
    ),
    EventType(
        "config.unchanged", "config", ("info",),
        "The file was read again on request (SIGHUP) and is the one that is loaded already.",
    ),
    EventType(
        "config.invalid", "config", ("error",),
        "The file cannot be read or has errors; the last valid file is kept.",
        {
            "problems": "a list with the file, line, column, path, message and hint of each error",
            "commit": COMMIT,
        },
    ),
    EventType(
        "config.missing", "config", ("warn",),
        "A file of the folder has gone; it is waited for before its entries count as removed.",
    ),
    EventType(
        "config.detached", "config", ("warn",),
        "The file was replaced outside of the container, which goes on seeing the old one.",
        {"hint": HINT},
    ),
    EventType(
        "config.polled", "config", ("warn",),
        "The system does not let the file be watched, so that it is looked at every 2 seconds.",
        {"hint": HINT},
    ),
    EventType("config.watched", "config", ("info",), "The file is watched again."),
    EventType(
        "plan.refused", "plan", ("error",),
        "A plan would delete or disable too much, or NPM shows too few hosts: nothing is written.",
        {"commit": COMMIT},
    ),
    EventType(
        "proxy.conflict", "plan", ("error",),
        "Somebody else's host stands in the entry's way, or the entry cannot be expressed in NPM.",
    ),
    EventType(
        "proxy.drift", "plan", ("warn",),
        "The host was changed in NPM and stays so, for `settings.drift` is `report`.",
    ),
    EventType(
        "proxy.waiting", "plan", ("warn",),
        "The change has to wait for another entry, which cannot be written now.",
    ),
    EventType(
        "proxy.warning", "plan", ("warn",),
        "Something about the entry that a person should know, though it stops nothing.",
    ),
    EventType(
        "proxy.contested", "plan", ("error",),
        "Somebody else has changed the same fields again and again; they are left alone.",
        {"npm_id": NPM_ID, "fields": "NPM's names of these fields"},
    ),
    EventType(
        "proxy.blocked", "validation", ("error",),
        "The entry failed validation and stays out of NPM; it is tried again by itself.",
        {"hint": HINT, "result": "as `validate --format json` shows it"},
    ),
    EventType(
        "proxy.suspect", "validation", ("warn",),
        "The entry failed validation and is applied anyway, for `validation.mode` is `warn`.",
        {"hint": HINT, "result": "as `validate --format json` shows it"},
    ),
    EventType(
        "proxy.unblocked", "validation", ("info",),
        "An entry that was blocked passes validation now.",
    ),
    *(
        EventType(
            name, "apply", ("info",), meaning,
            {
                "npm_id": NPM_ID,
                "fields": "NPM's names of the fields that were written",
                "drift": "whether it undoes what somebody changed in NPM",
            },
        )
        for name, meaning in (
            ("proxy.created", "The host was made in NPM."),
            ("proxy.updated", "The host was changed in NPM."),
            ("proxy.deleted", "The host was deleted from NPM."),
            ("proxy.adopted", "A host that was there already is managed from now on."),
            ("proxy.released", "A host was given back as it is, and is no longer managed."),
        )
    ),
    EventType(
        "proxy.failed", "apply", ("error",),
        "NPM or nginx refused the change, or visitors got worse by it: what worked is put back.",
        {"action": "create, update, delete, adopt or release", "npm_id": NPM_ID, "hint": HINT},
    ),
    EventType(
        "apply.recovered", "apply", ("warn",),
        "A write that an earlier run was killed at was finished or undone.",
        {
            "action": "create, update, delete, adopt or release",
            "npm_id": NPM_ID,
            "outcome": "what has become of it",
        },
    ),
    EventType(
        "health.changed", "health", ("info", "warn"),
        "An upstream became unhealthy (warn), or healthy again (info).",
        {
            "from": "its status before: unknown, healthy or unhealthy",
            "to": "its status now",
            "detail": "what the check found",
            "hint": HINT,
            "upstream": "what was checked",
            "latency_ms": "how long the answer took, in milliseconds",
            "lasted_seconds": "for how long it had the status before",
        },
    ),
    EventType(
        "health.stale", "health", ("warn",),
        "An upstream has been unhealthy for `stale_threshold_days`: its entry may be a leftover.",
        {"since": "when it became unhealthy", "detail": "what the last check found", "hint": HINT},
    ),
    EventType(
        "health.network_down", "health", ("warn",),
        "Every check fails at once, so it is this machine's own network; every status is kept.",
        {"proxies": "how many are checked", "hint": HINT},
    ),
    EventType(
        "health.network_back", "health", ("info",),
        "Something answers again after `health.network_down`.",
        {"lasted_seconds": "how long the network was down"},
    ),
    EventType(
        "health.failed", "health", ("error",),
        "A part of the health checks failed by a fault of proxysync; the checks go on.",
        {"hint": HINT},
    ),
    EventType(
        "edge.not_served", "edge", ("error",),
        "NPM's nginx does not serve a site to visitors though its upstream is well; the host is "
        "written again.",
        {"detail": "what visitors get", "hint": HINT},
    ),
    EventType("edge.served", "edge", ("info",), "The site is served again."),
    EventType(
        "edge.unreachable", "edge", ("warn",),
        "NPM's sites cannot be reached from here, so that nobody can tell whether they are served.",
        {"reason": "why"},
    ),
    EventType("edge.reachable", "edge", ("info",), "NPM's sites can be seen from here again."),
    *(
        EventType(name, "npm", ("error",), meaning)
        for name, meaning in (
            ("npm.unavailable", "NPM is away or cannot answer now; it is tried again."),
            ("npm.error", "NPM failed to answer a reading with an error of its own."),
            ("npm.answer", "NPM's answer cannot be understood."),
            ("npm.address", "What answers is not NPM's API, or its certificate is not trusted."),
            ("npm.login", "NPM does not let this account in."),
            ("npm.rights", "The account may not do what is needed."),
            ("npm.not_found", "An object has gone from NPM while it was worked on."),
            ("npm.rejected", "NPM refused a request."),
            ("npm.unconfirmed", "It is not known whether a write was carried out; it is repeated."),
        )
    ),
    EventType("npm.back", "npm", ("info",), "NPM can be read and written again."),
    EventType(
        "npm.visibility", "npm", ("warn",),
        "The account does not see all that it should: others' hosts, say.",
    ),
    EventType(
        "npm.latent_outage", "npm", ("error",),
        "A name in a location or a stream stopped resolving: nginx would not start again.",
        {"name": "the name", "hosts": "who uses it, foreign hosts too", "hint": HINT},
    ),
    EventType(
        "npm.latent_outage_over", "npm", ("info",),
        "That name resolves again, or is not used any more.",
        {"name": "the name"},
    ),
    EventType(
        "npm.certificate_expiring", "npm", ("warn", "error"),
        "A certificate in use, by foreign hosts too, has 21 days left (warn), or 7 (error).",
        {"days_left": "whole days until it expires", "hint": HINT},
    ),
    EventType(
        "npm.certificate_expired", "npm", ("error",),
        "A certificate in use, by foreign hosts too, has expired.",
        {"days_left": "0", "hint": HINT},
    ),
    EventType(
        "git.updated", "git", ("info",),
        "A new commit of the repository was fetched, and its file is to be loaded.",
        {
            "commit": "its id",
            "subject": "the first line of what its author says of it",
            "previous": "the id of the commit before it, null where there was none",
        },
    ),
    EventType(
        "git.failed", "git", ("error",),
        "The repository cannot be had, or its newest commit not be taken; the last one is kept, "
        "and it is tried again. Told once for as long as it goes on.",
        {
            "reason": "tells one trouble from another",
            "commit": "the commit that is refused, null where it is about no commit",
            "hint": HINT,
        },
    ),
    EventType("git.back", "git", ("info",), "The repository can be had again."),
    EventType("daemon.started", "daemon", ("info",), "The daemon has started."),
    EventType(
        "daemon.listening", "daemon", ("info",), "The API and the page are served.",
        {"address": "where a browser on this machine finds the page"},
    ),
    EventType("daemon.stopped", "daemon", ("info",), "The daemon was told to end, and has ended."),
    EventType(
        "daemon.waiting", "daemon", ("info",),
        "Another proxysync is writing, or an earlier write may be under way: it is waited for.",
    ),
    EventType(
        "daemon.locked", "daemon", ("error",),
        "Another proxysync has been writing for too long; the next resync waits again.",
    ),
    EventType(
        "daemon.held", "daemon", ("warn",),
        "After a rollback the file is not applied until its content changes or `resume` is given.",
    ),
    EventType(
        "daemon.paused", "daemon", ("warn",),
        "A person has paused the daemon: it writes nothing until then, or until `resume`.",
    ),
    EventType("daemon.resumed", "daemon", ("info",), "A pause is over."),
    EventType(
        "daemon.fault", "daemon", ("error",),
        "proxysync itself failed by a fault of its own, and goes on.",
        {"hint": HINT},
    ),
    EventType(
        "state.unusable", "daemon", ("error",),
        "The state cannot be written (a full disk, say), so that NPM is left as it is.",
    ),
    EventType("state.back", "daemon", ("info",), "The state can be written again."),
    EventType(
        "state.damaged", "daemon", ("error",),
        "The state was damaged and is set aside; who owns what is read from the markers in NPM.",
        {"path": "where the damaged database is now"},
    ),
    EventType(
        "state.restored", "daemon", ("error",),
        "The state was removed while the daemon ran, and is written anew.",
    ),
    EventType(
        "events.late", "daemon", ("error",),
        "Events are in the database, but events.jsonl cannot be written now.",
    ),
    EventType(
        "events.lost", "daemon", ("error",),
        "The state could not be written for so long that the oldest events were dropped.",
        {"lost": "how many"},
    ),
)  # fmt: skip

CATALOGUE: Mapping[str, EventType] = {one.name: one for one in _TYPES}


def to_markdown() -> str:
    """All events, by their source, as docs/events.md has them."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Events"
    yield ""
    yield "<!-- Written by `python -m proxysync.model.catalogue > docs/events.md`. -->"
    yield ""
    yield "For whoever reads events, or has a program act on them."
    yield ""
    yield "Each event is one line of `events.jsonl`, one row of `event_log` in `state.db`, and one"
    yield "line of the daemon's log. `proxysync events` shows them: `--severity` is a minimum,"
    yield "`--source`, `--kind` and `--name` choose."
    for source in SOURCES:
        found = [one for one in CATALOGUE.values() if one.source == source]
        if found:
            yield from ("", f"## {source}", "", "| event | severity | meaning | `data` |")
            yield "|---|---|---|---|"
            yield from map(_row, found)


def _row(one: EventType) -> str:
    data = "<br>".join(f"`{key}`: {meaning}" for key, meaning in one.data.items())
    return f"| `{one.name}` | {', '.join(one.severities)} | {one.meaning} | {data} |"


if __name__ == "__main__":
    print(to_markdown(), end="")
