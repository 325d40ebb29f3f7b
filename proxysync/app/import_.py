"""Everything NPM has as the text of a file; nothing is written to NPM or to the disk."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from proxysync.app.entry_names import new_name
from proxysync.app.imported_file import ImportedEntry, to_text
from proxysync.app.plan import PlanResult
from proxysync.app.remembered import remember
from proxysync.app.state_folder import StateReader
from proxysync.config.errors import ConfigError
from proxysync.config.load import load_text
from proxysync.config.models import Config, Settings
from proxysync.config.variables import handed_over, readable
from proxysync.kinds import KINDS
from proxysync.kinds.references import Named, reference_names
from proxysync.kinds.referred import TITLE
from proxysync.kinds.refusal import refusal_of
from proxysync.model import Applied, Key, Live, Snapshot
from proxysync.model.errors import ProxysyncError
from proxysync.model.redact import redact
from proxysync.npm.client import NpmClient
from proxysync.plan.match import call, match
from proxysync.plan.model import MARKER_FIELD, Change, Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Policy

NAME = "import"
"""What messages call the text, which is no file yet."""


@dataclass(frozen=True)
class _Source:
    """What an import goes by; `secrets` maps values to the `${NAME}` that stands for them."""

    snapshot: Snapshot
    applied: Sequence[Applied]
    state: str | None
    instance: str
    environ: Mapping[str, str]
    secrets: Mapping[str, str]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """The `text` of a file, and what it comes to.

    `taken` stand in it, `left_out` as comments. `adopting` has only what adopting all of them
    would change in NPM beside our marker. `notes` are for a person.
    """

    text: str
    taken: tuple[ImportedEntry, ...]
    left_out: tuple[ImportedEntry, ...]
    adopting: PlanResult
    notes: tuple[str, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        return self.adopting.plan.empty

    def to_json(self) -> dict[str, Any]:
        """The shape of `import --format json`."""
        shown: dict[str, Any] = {
            "file": self.text,
            "entries": [_named(entry) for entry in self.taken],
            "left_out": [{**_named(e), "problems": list(e.problems)} for e in self.left_out],
            "notes": list(self.notes),
            "adopting": self.adopting.to_json(),
        }
        masked: dict[str, Any] = redact(shown, self.adopting.secrets)
        return masked


def import_(
    npm: NpmClient,
    stored: StateReader,
    config: Config | None,
    environ: Mapping[str, str],
    wanted: Sequence[str] = (),
    tags: Sequence[str] = (),
) -> Imported:
    """The file for what NPM has, or for what is `wanted` of it: domains, names, `KIND/`.

    `config` is the file in use, if there is one: it says which instance we are. `environ` is what
    `${NAME}` may read. Each entry gets these `tags`.

    Raises NpmError, and ProxysyncError where something wanted is not there.
    """
    snapshot = _importable(remember(stored.state, "").seen(npm.snapshot()))
    secrets = handed_over(environ) | dict(config.secrets if config else {})
    source = _Source(
        snapshot,
        stored.state.applied() if stored.state else (),
        stored.state.id if stored.state else None,
        config.settings.instance if config else Settings().instance,
        environ,
        readable(secrets, environ),
        tuple(tags),
    )
    unseen = tuple(f"{KINDS[kind].nouns}: {why}" for kind, why in snapshot.denied.items())
    entries = _entries(source, wanted)
    text = to_text(
        entries,
        instance=source.instance if source.instance != Settings().instance else None,
        secrets=source.secrets,
        remarks=unseen,
    )
    plan = _plan(load_text(text, NAME, environ), source, everything=not wanted)
    warning = npm.visibility_warning()
    return Imported(
        text,
        tuple(entry for entry in entries if not entry.problems),
        tuple(entry for entry in entries if entry.problems),
        PlanResult(plan, secrets, reference_names(snapshot)),
        (
            *stored.warnings,
            *(f"Warning: {text}" for text in unseen),
            *(f"Warning: {e.warning}" for e in entries if e.warning and not e.problems),
            *([f"Warning: {warning}"] if warning else []),
        ),
    )


def _importable(snapshot: Snapshot) -> Snapshot:
    """NPM without what no file could be made from; hosts go by the names that it has in NPM."""
    return replace(
        snapshot, objects=tuple(o for o in snapshot.objects if KINDS[o.kind].can_be_imported)
    )


def _entries(source: _Source, wanted: Sequence[str]) -> list[ImportedEntry]:
    """The oldest of a kind first: a domain that two have is its."""
    named, problems = _name_all(source)
    chosen = _choose(wanted, named) if wanted else list(named)
    holders: dict[str, Live] = {}
    entries: list[ImportedEntry] = []
    names: dict[tuple[str, int], str] = {}
    for key in sorted(chosen, key=lambda key: _age(named[key])):
        live = named[key]
        others = [e for e in entries if not e.problems and not e.kind.is_host]
        entry = _once(_entry(key, live, source, problems.get(key), names, others), live, holders)
        entries.append(entry)
        if not entry.problems:
            names[live.kind, live.npm_id] = key.name
    return entries


def _age(live: Live) -> tuple[bool, int, int]:
    """What hosts refer to comes first, for they go by its name."""
    return KINDS[live.kind].is_host, list(KINDS).index(live.kind), live.npm_id


def _name_all(source: _Source) -> tuple[dict[Key, Live], dict[Key, str]]:
    """Every object by its name in the file, and why some of them cannot stand in it."""
    matching = match(
        (), source.snapshot, source.applied, instance=source.instance, adopting=frozenset()
    )
    named = {owned.key: owned.live for owned in matching.owned}
    problems: dict[Key, str] = {}
    others = list(matching.foreign)
    for owned in matching.owned:
        others += owned.duplicates
    for live in sorted(others, key=_age):
        name = new_name(_names(live), live.kind, (key.name for key in named))
        key = Key(live.kind, name)
        named[key] = live
        if (marker := live.marker) is None:
            continue
        problems[key] = (
            f'it carries the same name as another, "{marker.name}": delete one of them in NPM'
            if marker.instance == source.instance
            else f'the proxysync instance "{marker.instance}" manages it'
        )
    return named, problems


def _choose(wanted: Sequence[str], named: Mapping[Key, Live]) -> list[Key]:
    """The objects with these domains or names; `proxy/` are all of a kind."""
    found: list[Key] = []
    for text in wanted:
        keys = [key for key in named if _is_meant(text.lower(), key, named[key])]
        if not keys:
            raise ProxysyncError(f"NPM has nothing called {text}", hint=_similar(text, named))
        found += keys
    return list(dict.fromkeys(found))


def _is_meant(text: str, key: Key, live: Live) -> bool:
    kind = KINDS[key.kind]
    names = [name.lower() for name in _names(live)]
    if text in names:
        return True
    before, slash, rest = text.rpartition("/")
    if slash and before not in (kind.name, kind.section):
        return False
    return (bool(slash) and not rest) or rest == key.name.lower() or rest in names


def _similar(text: str, named: Mapping[Key, Live]) -> str:
    there = sorted({name for live in named.values() for name in _names(live)})
    near = get_close_matches(text.lower().rpartition("/")[2], there, 3)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    kinds = ", ".join(f"{kind}/" for kind in KINDS)
    return f"Give domains, or {kinds} for all of a kind."


def _entry(
    key: Key,
    live: Live,
    source: _Source,
    problem: str | None,
    names: Named,
    others: Sequence[ImportedEntry],
) -> ImportedEntry:
    kind = KINDS[key.kind]
    said = kind.entry_of(live.fields, source.snapshot, names)
    if kind.title(live.fields) == key.name:
        said = replace(said, fields={f: v for f, v in said.fields.items() if f != TITLE})
    if source.tags:
        said = replace(said, fields={**said.fields, "tags": list(source.tags)})
    entry = ImportedEntry(key, call(live), said)
    if live.online is False and kind.is_enabled(live.fields):
        warning = f"nginx does not serve {entry.label} ({key}), nor will it once it is adopted"
        entry = replace(entry, warning=f"{warning}: {refusal_of(live)}")
    problems = (problem,) if problem else entry.entry.problems
    return replace(entry, problems=tuple(problems or _refused(entry, live, source, others)))


def _refused(
    entry: ImportedEntry, live: Live, source: _Source, others: Sequence[ImportedEntry]
) -> Iterable[str]:
    """Why the loader, or this server, does not take the entry as it would stand in the file.

    The `others` are those that it may refer to.
    """
    text = to_text([*others, entry], secrets=source.secrets)
    try:
        config = load_text(text, NAME, source.environ)
    except ConfigError as error:
        start = f"{entry.kind.section}."
        return [
            f"{problem.path.removeprefix(start).removeprefix(f'{entry.key.name}.')} "
            f"{problem.message}" + (f" ({problem.hint})" if problem.hint else "")
            for problem in error.problems
        ]
    desired = next(d for d in config.desired(source.snapshot) if d.key == entry.key)
    if problem := source.snapshot.denied.get(entry.key.kind) or desired.problem:
        return [problem]
    claims = entry.kind.claims(desired.fields)
    if claims != _claims(live):
        return [f"its {entry.kind.claim_noun}s would become {', '.join(sorted(claims))}"]
    return ()


def _once(entry: ImportedEntry, live: Live, holders: dict[str, Live]) -> ImportedEntry:
    """The entry, left out if an earlier one has a domain of it: a file can have each once."""
    if entry.problems:
        return entry
    for domain in sorted(_claims(live)):
        first = holders.setdefault(domain, live)
        if first is not live:
            what = entry.kind.claim_noun
            problem = f"{domain} is also a {what} of {call(first)}: only one can have it"
            return replace(entry, problems=(problem,))
    return entry


def _plan(config: Config, source: _Source, *, everything: bool) -> Plan:
    """What adopting all entries changes, but for markers; of others only where all are in it."""
    keys = frozenset(resource.key for resource in config.resources)
    policy = Policy(
        instance=source.instance,
        state=source.state,
        adopting=keys,
    )
    plan = make_plan(config.desired(source.snapshot), source.snapshot, source.applied, policy)
    changes = tuple(
        change
        for change in plan.changes
        if not _only_takes_over(change) and (everything or change.key in keys)
    )
    return replace(
        plan,
        changes=changes,
        refused=plan.refused if everything and changes else None,
        records=(),
        forget=(),
    )


def _only_takes_over(change: Change) -> bool:
    return change.action in ("adopt", "update") and not change.fields.keys() - {MARKER_FIELD}


def _claims(live: Live) -> frozenset[str]:
    return KINDS[live.kind].claims(live.fields)


def _names(live: Live) -> list[str]:
    """What an object goes by in NPM: its domains or ports, or its title."""
    title = KINDS[live.kind].title(live.fields)
    return sorted(_claims(live)) if title is None else [title]


def _named(entry: ImportedEntry) -> dict[str, Any]:
    return {"kind": entry.key.kind, "name": entry.key.name, "object": entry.label}
