"""NPM's rows to our values and back; whatever a version of NPM leaves out or adds is tolerated."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from proxysync.kinds import KINDS, RESERVED_SUFFIX, Kind
from proxysync.kinds.covering import as_certificate
from proxysync.kinds.request import sent
from proxysync.model import Certificate, Fields, Live, Marker
from proxysync.npm.errors import NpmAnswerError, NpmUnconfirmedError

MARKER_KEY = "proxysync"
WRITTEN_BY_NPM = frozenset({"nginx_online", "nginx_err"})

LARGEST = 2**53
"""Greater numbers are none that NPM, which is written in JavaScript, can tell apart."""


def read_id(row: Any) -> int | None:
    """The id of a row; None where it has none: NPM before 2.12 answers so for what is gone."""
    npm_id = row.get("id") if isinstance(row, dict) else None
    usable = type(npm_id) is int and 0 < npm_id <= LARGEST
    return npm_id if usable else None


def read_users(row: Any, told: Mapping[str, str]) -> frozenset[tuple[str, int]]:
    """Kind and id of all that refers to an object, from the expansions of its row."""
    require_row(row)
    rows = [(kind, one) for field, kind in told.items() for one in row.get(field) or ()]
    found = ((kind, read_id(one)) for kind, one in rows)
    return frozenset((kind, npm_id) for kind, npm_id in found if npm_id is not None)


def read_writer(log: Iterable[Mapping[str, Any]], kind: Kind, npm_id: int) -> str | None:
    """The account of the object's newest row in the audit log; None if there is none."""
    what = kind.collection.removeprefix("nginx/").removesuffix("s")
    rows = [row for row in log if (row.get("object_type"), row.get("object_id")) == (what, npm_id)]
    if not rows:
        return None
    newest = max(rows, key=lambda row: int(row["id"]))
    user = newest.get("user")
    name = user.get("email") or user.get("name") if isinstance(user, dict) else None
    return str(name or f"user #{newest.get('user_id')}")


def require_id(row: Any) -> int:
    """The id of what was created. Raises NpmUnconfirmedError where there is none."""
    npm_id = read_id(row)
    if npm_id is not None:
        return npm_id
    raise NpmUnconfirmedError("NPM answered a creation without an id")


def require_row(row: Any) -> None:
    """Raises NpmAnswerError where the answer is no object."""
    if not isinstance(row, dict):
        raise NpmAnswerError(
            "NPM answered with something else than the object that was asked for",
            hint="This does not look like NPM's API; check PROXYSYNC_NPM_URL.",
        )


def read_lives(kind: Kind, rows: Iterable[Mapping[str, Any]]) -> Iterator[Live]:
    """What we may manage of a kind. Raises NpmAnswerError."""
    return (read_live(kind, row) for row in rows if kind.manages(row))


def read_live(kind: Kind, row: Any) -> Live:
    """A row of a list or of a single GET. Raises NpmAnswerError for what is none."""
    npm_id = read_id(row)
    if npm_id is None:
        raise NpmAnswerError(f"NPM's list of {kind.label}s has a row without an id")
    stored = row.get("meta")
    meta = stored if isinstance(stored, dict) else {}
    online, refusal = meta.get("nginx_online"), meta.get("nginx_err")
    return Live(
        kind=kind.name,
        npm_id=npm_id,
        fields=_read_fields(kind, npm_id, row),
        marker=_read_marker(meta.get(MARKER_KEY)),
        meta=_others(meta) if kind.is_host else {},
        created_on=_text(row.get("created_on")),
        online=None if online is None else bool(online),
        nginx_error=_text(refusal) or None,
        hints=kind.hints(row),
    )


def _others(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What others have put into `meta`, to be sent back."""
    return {k: v for k, v in meta.items() if k != MARKER_KEY and k not in WRITTEN_BY_NPM}


def is_canary(live: Live) -> bool:
    """Whether it is a throwaway host of ours."""
    kind = KINDS[live.kind]
    names = kind.claims(live.fields)
    if kind.is_uploaded:  # NPM keeps no marker of it, but nobody's name ends so
        return str(kind.title(live.fields)).endswith(RESERVED_SUFFIX)
    marked = live.marker is not None and live.marker.canary
    return marked and all(name.endswith(RESERVED_SUFFIX) for name in names)


def overwritten(kind: Kind, fields: Fields, answer: Any, live: Live) -> frozenset[str]:
    """What of the written `fields` the `answer` to the write has, and the object not any more."""
    differ = {name for name, value in fields.items() if live.fields.get(name) != value}
    if not differ:
        return frozenset()
    try:
        stored = read_live(kind, answer).fields
    except NpmAnswerError:
        return frozenset()
    return frozenset(name for name in differ if stored.get(name) == fields[name])


def write_payload(fields: Fields, accepted: frozenset[str]) -> dict[str, Any]:
    """The body of a write: all that this server accepts.

    Certificate and TLS flags always go together: NPM judges only those that are sent.
    """
    return sent({name: value for name, value in fields.items() if name in accepted})


def shown_by(payload: Mapping[str, Any], fields: Fields) -> Fields:
    """What a reading shows once NPM has taken the payload."""
    return {name: value for name, value in fields.items() if name in payload}


def meta_with(marker: Marker | None, meta: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a body that stores our marker beside what others have put into `meta`."""
    return {"meta": {**meta, **_write_marker(marker)}}


def read_certificates(rows: Iterable[Mapping[str, Any]]) -> tuple[Certificate, ...]:
    """What may be known of the certificates in these rows, in which there are keys, too."""
    return tuple(
        as_certificate(npm_id, row) for row in rows if (npm_id := read_id(row)) is not None
    )


def rows_of(value: Any) -> Sequence[Mapping[str, Any]]:
    """What is a row in a list of NPM's; nothing where it is no list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _read_fields(kind: Kind, npm_id: int, row: Mapping[str, Any]) -> Fields:
    wrong = [name for name, like in kind.defaults.items() if not _fits(row.get(name), like)]
    try:
        if not wrong:
            return kind.complete(row)
    except (AttributeError, TypeError, ValueError):
        wrong = [name for name, like in kind.defaults.items() if isinstance(like, tuple)]
    raise NpmAnswerError(
        f"NPM's {kind.label} #{npm_id} has unusable values in {', '.join(wrong)}",
        hint="Save or delete this host in NPM; until then NPM is left as it is.",
    )


def _fits(value: Any, like: Any) -> bool:
    """Whether a value can stand where NPM's own default is `like`, in any version's way."""
    if value is None:
        return True
    if isinstance(like, bool):
        return isinstance(value, int)
    if isinstance(like, int):
        number = isinstance(value, str) and value.isascii() and value.isdecimal()
        return (number and len(value) <= 15) or (type(value) is int and 0 <= value <= LARGEST)
    if isinstance(like, str):
        return isinstance(value, str)
    return isinstance(value, list)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _read_marker(value: Any) -> Marker | None:
    if not isinstance(value, dict):
        return None
    name, instance = value.get("name"), value.get("instance", "default")
    if not isinstance(name, str) or not isinstance(instance, str):
        return None
    state = value.get("state")
    return Marker(
        name,
        instance,
        canary=value.get("canary") is True,
        state=state if isinstance(state, str) else None,
    )


def _write_marker(marker: Marker | None) -> dict[str, Any]:
    if marker is None:
        return {}
    canary = {"canary": True} if marker.canary else {}
    state = {"state": marker.state} if marker.state else {}
    return {MARKER_KEY: {"name": marker.name, "instance": marker.instance, **state, **canary}}
