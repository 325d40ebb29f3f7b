"""Everything proxysync asks of an NPM server: one reading of all, and single writes."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from proxysync.kinds import CERTIFICATES, GATE, KINDS, Kind
from proxysync.kinds.covering import as_certificate
from proxysync.kinds.references import as_access_list
from proxysync.model import Certificate, Fields, Live, Marker, Snapshot
from proxysync.model.flight import Flight
from proxysync.npm import wire
from proxysync.npm.errors import (
    Fate,
    NpmAddressError,
    NpmError,
    NpmNotFoundError,
    NpmRejectedError,
    NpmRightsError,
    NpmUnconfirmedError,
)
from proxysync.npm.flight import Recorder, changes, recorded
from proxysync.npm.form import Form, Payload
from proxysync.npm.server import Server, lost_right, read_server, read_version
from proxysync.npm.session import Session
from proxysync.values.upstreams import port_of

OnCreated = Callable[[int, str | None], object]
"""Hears of a new object's id and of NPM's text for when it was made."""

NO_SECRETS: Mapping[str, str] = MappingProxyType({})

DISABLED_WITHIN = 10.0
"""Seconds for which an object is waited for that NPM has said to disable."""


class NpmClient:
    """One NPM server. Every method raises a subclass of NpmError.

    A `recorder` is told of each write before it is sent, and of its answer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._server: Server | None = None
        self._last_snapshot: Snapshot | None = None
        self.recorder: Recorder | None = None

    @property
    def url(self) -> str:
        return self._session.url

    def forget_server(self) -> None:
        """Read version, schema and rights again next time: the server may have been replaced."""
        self._server = None

    def server(self) -> Server:
        """Version, fields and rights, read once. Raises NpmRightsError without the least right."""
        if self._server is None:
            self._server = read_server(self._session)
        return self._server

    def version(self) -> tuple[int, int, int] | None:
        """The server's version as it is now; another one than before forgets what was read."""
        version = read_version(self._session)
        if self._server is not None and self._server.version != version:
            self.forget_server()
        return version

    def require_write(self) -> None:
        """Raises NpmRightsError if the account may look but not write."""
        self.server().require_write()

    def visibility_warning(self) -> str | None:
        """What the account cannot see, and what to do about it; None if it sees all."""
        return self.server().unseen

    def denied(self) -> Mapping[str, str]:
        """Why the account may not manage some kinds, and what to do about it."""
        return self.server().told()

    @property
    def last_snapshot(self) -> Snapshot | None:
        """What `snapshot` read last, for those who need not ask again."""
        return self._last_snapshot

    def snapshot(self) -> Snapshot:
        """All that planning needs, read now."""
        if self.server().lacks_rights:
            self.forget_server()  # a person may have given them since
        self.server()  # before anything that only an account with rights may ask
        rows = {kind.name: self._rows(kind) for kind in KINDS.values()}
        server = self.server()
        lives = [live for name in rows for live in wire.read_lives(KINDS[name], rows[name])]
        self._last_snapshot = Snapshot(
            objects=tuple(live for live in lives if not wire.is_canary(live)),
            certificates=wire.read_certificates(rows[CERTIFICATES.name]),
            access_lists=tuple(map(as_access_list, (o for o in lives if o.kind == GATE.name))),
            accepted=server.accepted,
            version=server.version,
            canaries=tuple(live for live in lives if wire.is_canary(live)),
            denied=self.denied(),
            admin_port=port_of(self.url),
        )
        return self._last_snapshot

    def objects(self, kind: Kind) -> list[Live]:
        """What there is of one kind now, without throwaway hosts; see `Snapshot.objects`."""
        lives = wire.read_lives(kind, self._rows(kind))
        return [live for live in lives if not wire.is_canary(live)]

    def certificate(self, npm_id: int) -> Certificate | None:
        """The certificate as it is now; None if it is gone, or this account may not see it."""
        try:
            row = self._session.get(f"/{CERTIFICATES.collection}/{npm_id}")
        except (NpmNotFoundError, NpmRightsError):
            return None
        return as_certificate(npm_id, row) if wire.read_id(row) == npm_id else None

    def get(self, kind: Kind, npm_id: int) -> Live | None:
        """The object as it is now; None if it is gone."""
        try:
            row = self._session.get(f"/{kind.collection}/{npm_id}{kind.query}")
        except NpmNotFoundError:
            return None
        wire.require_row(row)
        # Before 2.12, NPM answers 200 and `{}` for what is gone.
        return wire.read_live(kind, row) if row.get("id") is not None else None

    def users(self, kind: Kind, npm_id: int) -> frozenset[tuple[str, int]]:
        """All that refers to the object, hidden from this account or not, as far as NPM tells."""
        told = kind.told_users(self.server().version)
        if not told:
            return frozenset()
        try:
            row = self._session.get(f"/{kind.collection}/{npm_id}?expand={','.join(told)}")
        except NpmNotFoundError:
            return frozenset()
        return wire.read_users(row, told)

    def last_writer(self, kind: Kind, npm_id: int) -> str | None:
        """The account that wrote the object last, by NPM's audit log.

        None if this account may not read that, or it is not in there any more.
        """
        return wire.read_writer(self._list_if_allowed("audit-log?expand=user"), kind, npm_id)

    def find(self, kind: Kind, marker: Marker, fields: Fields) -> Live | None:
        """The object with this marker, or else the unmarked one that holds exactly these names.

        What goes by its title alone is the one that was not there when NPM was last read.
        """
        rows = self._list(f"{kind.collection}{kind.query}")
        objects = [wire.read_live(kind, row) for row in rows]
        marked = (live for live in objects if live.marker == marker)
        known = self._last_snapshot.objects if self._last_snapshot and not kind.is_host else ()
        old = {live.npm_id for live in known if live.kind == kind.name}
        same = (
            o
            for o in objects
            if o.marker is None
            and o.npm_id not in old
            and (kind.claims(o.fields), kind.title(o.fields))
            == (kind.claims(fields), kind.title(fields))
        )
        return next(marked, None) or next(same, None)

    def create(
        self,
        kind: Kind,
        fields: Fields,
        marker: Marker,
        on_created: OnCreated = lambda *_: None,
        secrets: Mapping[str, str] = NO_SECRETS,
    ) -> Live:
        """Creates the object and reads it again: the answer of a POST does not say if it works.

        `on_created` hears of its id and creation date before anything else is asked.
        """
        payload = self._payload(kind, fields, marker, {}, secrets)
        if not kind.is_switched_by_put:
            payload.pop(kind.switch, None)
        flight = Flight(kind.name, None, wire.shown_by(payload, fields))
        try:
            with recorded(self.recorder, flight):
                row = self._session.write("POST", f"/{kind.collection}", payload)
        except NpmUnconfirmedError as error:
            found = self._with_live(error, flight, lambda: self.find(kind, marker, fields))
            if found.live is None:
                self.forget_server()
                raise lost_right(self._session, kind) or found from error
            raise found from error
        npm_id = wire.require_id(row)
        on_created(npm_id, row.get("created_on"))
        if kind.is_uploaded:
            return self._complete(kind, npm_id, fields, secrets)
        return self._read_again(kind, npm_id, fields, row)

    def _complete(
        self, kind: Kind, npm_id: int, fields: Fields, secrets: Mapping[str, str]
    ) -> Live:
        """A new object with its files; where NPM takes them not, it is gone again."""
        live = self._read_again(kind, npm_id, None)
        try:
            return self._upload(kind, live, fields, secrets)
        except NpmRejectedError:
            self.delete(kind, npm_id)
            raise

    def _upload(self, kind: Kind, live: Live, fields: Fields, secrets: Mapping[str, str]) -> Live:
        if not secrets:
            raise NpmRejectedError(f"{kind.label} #{live.npm_id} stays: its files are not kept")
        flight = Flight(kind.name, live.npm_id, changes(live, fields))
        path = f"/{kind.collection}/{live.npm_id}/upload"
        form = Form(kind.upload(secrets, live))
        written = self._act(kind, flight, "POST", path, form, fields)
        if self._last_snapshot is not None:
            fresh = wire.read_certificates(self._list_if_allowed(kind.collection))
            self._last_snapshot = replace(self._last_snapshot, certificates=fresh)
        return written

    def update(
        self,
        kind: Kind,
        live: Live,
        fields: Fields,
        marker: Marker | None,
        secrets: Mapping[str, str] = NO_SECRETS,
    ) -> Live:
        """Replaces the definition, keeping what others have put into `meta`.

        It never disables: NPM goes on serving a host that is disabled by a PUT.
        """
        if kind.is_uploaded:
            return self._upload(kind, live, fields, secrets)
        payload = self._payload(kind, fields, marker, live.meta, secrets)
        on = kind.is_enabled(fields)
        if not on or not kind.is_switched_by_put:
            payload.pop(kind.switch, None)
        flight = Flight(kind.name, live.npm_id, changes(live, wire.shown_by(payload, fields)))
        path = f"/{kind.collection}/{live.npm_id}"
        written = self._act(kind, flight, "PUT", path, payload, fields)
        if kind.is_late and kind.is_enabled(written.fields):
            written = self._make_current(kind, written, path, payload, fields)
        if on and not kind.is_enabled(written.fields) and not kind.is_switched_by_put:
            flight = Flight(kind.name, live.npm_id, {kind.switch: True})
            written = self._act(kind, flight, "POST", f"{path}/enable")
        return written

    def _make_current(
        self, kind: Kind, written: Live, path: str, payload: Mapping[str, Any], fields: Fields
    ) -> Live:
        """Gives nginx what the object has now, for after a PUT it has what was there before.

        A second PUT does, but for a certificate, which only enabling looks up. Where even that
        is not sent, nothing that NPM shows tells that the change is half done.
        """
        try:
            if kind.served(fields).https:
                return self.disable(kind, written.npm_id)  # and the caller enables it again
            shows = changes(written, wire.shown_by(payload, fields))
            flight = Flight(kind.name, written.npm_id, shows)
            return self._act(kind, flight, "PUT", path, payload, fields)
        except NpmUnconfirmedError:
            raise
        except NpmError as error:
            raise NpmUnconfirmedError(
                f"{error.message}; nginx has what was there before", hint=error.hint, live=written
            ) from error

    def disable(self, kind: Kind, npm_id: int) -> Live:
        """Takes the object out of nginx."""
        if kind.is_late:
            live = self._read_again(kind, npm_id, None)
            if not kind.is_enabled(live.fields):
                return live  # to ask for it once more would end NPM's backend
        flight = Flight(kind.name, npm_id, {kind.switch: False})
        live = self._act(kind, flight, "POST", f"/{kind.collection}/{npm_id}/disable")
        return self._disabled(kind, live) if kind.is_late else live

    def _disabled(self, kind: Kind, live: Live) -> Live:
        """The object once it is off, for NPM has answered before it was."""
        until = time.monotonic() + DISABLED_WITHIN
        while kind.is_enabled(live.fields) and time.monotonic() < until:
            time.sleep(0.1)
            live = self._read_again(kind, live.npm_id, None)
        return live

    def delete(self, kind: Kind, npm_id: int) -> None:
        """Deletes the object; that it is gone already is no error."""
        version = self.server().version
        if version is not None and version < (2, 12, 0) and self.get(kind, npm_id) is None:
            return  # NPM would answer 500, as if nginx were broken
        flight = Flight(kind.name, npm_id, None)
        try:
            with recorded(self.recorder, flight):
                self._session.write("DELETE", f"/{kind.collection}/{npm_id}")
        except NpmNotFoundError:
            return
        except NpmUnconfirmedError as error:
            raise self._with_live(error, flight, lambda: self.get(kind, npm_id)) from error

    def _payload(
        self,
        kind: Kind,
        fields: Fields,
        marker: Marker | None,
        meta: Mapping[str, Any],
        secrets: Mapping[str, str],
    ) -> dict[str, Any]:
        server = self.server()
        sent = kind.for_server(fields, server.version)
        payload = wire.write_payload(sent, server.accepted[kind.name])
        stored = wire.meta_with(marker, meta) if kind.is_host else {}
        return {**kind.with_secrets(payload, secrets), **stored}

    def _act(
        self,
        kind: Kind,
        flight: Flight,
        method: str,
        path: str,
        payload: Payload | None = None,
        fields: Fields | None = None,
    ) -> Live:
        npm_id = flight.npm_id
        assert npm_id is not None
        try:
            with recorded(self.recorder, flight):
                answer = self._session.write(method, path, payload)
        except NpmUnconfirmedError as error:
            raise self._with_live(error, flight, lambda: self.get(kind, npm_id)) from error
        return self._read_again(kind, npm_id, fields, answer)

    def _read_again(
        self, kind: Kind, npm_id: int, fields: Fields | None, answer: Any = None
    ) -> Live:
        """The object after a write; `fields` are what was written, if anything but its state.

        `answer` is the row that NPM answered the write with.
        """
        names = f" ({', '.join(sorted(kind.claims(fields)))})" if fields else ""
        what = f"{kind.label} #{npm_id}{names}"
        try:
            live = self.get(kind, npm_id)
        except NpmError as error:
            raise NpmUnconfirmedError(
                f"{what} was written, but could not be read again: {error.message}",
                hint="It will be written again when NPM answers.",
            ) from error
        if live is None:
            raise NpmUnconfirmedError(
                f"{what} was written, but it is gone",
                hint="Somebody may have deleted it in NPM just then; the next run looks again.",
            )
        return replace(live, overwritten=wire.overwritten(kind, fields or {}, answer, live))

    def _with_live(
        self, error: NpmUnconfirmedError, flight: Flight, read: Callable[[], Live | None]
    ) -> NpmUnconfirmedError:
        """The error with what NPM shows now, which may tell that the write has arrived."""
        live = None
        with suppress(NpmError):
            live = read()
            arrived, _ = flight.trace((live,) if live else ())
            if arrived and error.fate is Fate.UNKNOWN and self.recorder and error.flight:
                self.recorder.given_up(error.flight)
        return NpmUnconfirmedError(error.message, hint=error.hint, live=live, fate=error.fate)

    def _list(self, collection: str) -> Sequence[Mapping[str, Any]]:
        rows = self._session.get(f"/{collection}")
        if not isinstance(rows, list):
            raise NpmAddressError(
                f"{self.url} answered /{collection} with something else than a list",
                hint="This does not look like NPM's API; check PROXYSYNC_NPM_URL.",
            )
        return rows

    def _rows(self, kind: Kind) -> Sequence[Mapping[str, Any]]:
        """All rows of a kind; none where the account is known to lack the right."""
        path = f"{kind.collection}{kind.query}"
        if kind.is_essential:
            return self._list(path)
        try:
            return wire.rows_of(self._list(path))
        except NpmRightsError:
            if kind.name not in self.server().denied:
                self.forget_server()  # it was taken away, or given back, since that was read
            return () if kind.name in self.server().denied else wire.rows_of(self._list(path))

    def _list_if_allowed(self, collection: str) -> Sequence[Mapping[str, Any]]:
        """The rows, but none where the account may not see them, and none that is no object."""
        try:
            return wire.rows_of(self._list(collection))
        except NpmRightsError:
            return ()
