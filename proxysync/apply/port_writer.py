"""Writes what nginx has to open a port for, and proves that nginx has loaded it.

A port that something else has lets nginx load nothing any more, and NPM says that all is well. So
a throwaway host is seen at the edge before such a write, and must be gone from there after it:
then nginx has loaded what was written in between. Where it is not, the write is taken back.
"""

import secrets
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from proxysync.apply.canary import thrown_away
from proxysync.apply.domain_move import DomainMove
from proxysync.apply.host_writer import HostWriter, PreparedWrite
from proxysync.apply.outcome import ApplyError, WriteOutcome
from proxysync.apply.site_check import SiteCheck
from proxysync.kinds import KINDS, RELOADER, RESERVED_SUFFIX
from proxysync.model import Live, Marker
from proxysync.npm.client import NpmClient, OnCreated
from proxysync.npm.errors import NpmError, NpmUnconfirmedError

CONNECTS_WITHIN = 3.0
"""Seconds for a connection to a port of NPM's."""

STUCK = (
    "Look into the log of NPM's nginx (bind() failed), and for streams on ports that something "
    "else on NPM's machine has."
)

Ports = frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Beacon:
    """A throwaway host by which it is seen what nginx has loaded."""

    name: str
    live: Live


class PortWriter:
    """Writes hosts with ports of their own; raises as `HostWriter` does."""

    def __init__(self, npm: NpmClient, hosts: HostWriter, sites: SiteCheck) -> None:
        self._npm = npm
        self._hosts = hosts
        self._sites = sites

    def write(
        self, prepared: PreparedWrite, move: DomainMove, on_created: OnCreated
    ) -> WriteOutcome:
        """As `HostWriter.write`; the outcome's note says what could not be looked at."""
        ports = _ports(prepared)
        if not ports:
            return self._hosts.write(prepared, move, on_created)
        blind = self._sites.blind
        if blind is not None:
            outcome = self._hosts.write(prepared, move, on_created)
            return replace(outcome, note=_unproved(ports, blind))
        beacon = self._raise_beacon()
        try:
            seen = self._sites.shows(beacon.name, expected=True)
            if not seen:
                prepared, seen = self._without_culprit(prepared, beacon)
            outcome = self._hosts.write(prepared, move, on_created)
        except BaseException:
            with suppress(NpmError):  # else the next run removes it
                self._npm.delete(RELOADER, beacon.live.npm_id)
            raise
        self._lower(beacon, outcome)
        if not seen:
            why = f"{self._sites.edge} does not show what nginx loads"
            return replace(outcome, note=_unproved(ports, why))
        if not self._sites.shows(beacon.name, expected=False):
            raise self._take_back(outcome, move, _taken(ports))
        return replace(outcome, note=self._unreached(ports))

    def _raise_beacon(self) -> Beacon:
        """Raises NpmError, and never one that something is unconfirmed: it is nobody's host."""
        name = f"beacon-{secrets.token_hex(4)}{RESERVED_SUFFIX}"
        marker = Marker("reload", self._hosts.instance, canary=True)
        with thrown_away(self._npm, RELOADER):
            live = self._npm.create(RELOADER, RELOADER.placeholder_definition(name), marker)
        return Beacon(name, live)

    def _lower(self, beacon: Beacon, outcome: WriteOutcome) -> None:
        """Removes the throwaway host; where that fails, nobody knows what nginx has loaded."""
        try:
            self._npm.delete(RELOADER, beacon.live.npm_id)
        except NpmError as error:
            raise NpmUnconfirmedError(
                f"{error.message}, so that it is not known whether nginx has loaded it",
                hint=error.hint,
                live=outcome.live,
            ) from error

    def _without_culprit(
        self, prepared: PreparedWrite, beacon: Beacon
    ) -> tuple[PreparedWrite, bool]:
        """The write where nginx loads nothing already, and whether it does now.

        The very host may be why, after a write that was cut off: then it is disabled first.
        """
        before, kind = prepared.before, KINDS[prepared.change.kind]
        if before is not None and kind.is_enabled(before.fields):
            off = self._npm.disable(kind, before.npm_id)
            if self._sites.shows(beacon.name, expected=True):
                # It never worked as it was, so that it is nothing to put back.
                return replace(prepared, before=replace(off, online=None)), True
            before = self._npm.update(kind, off, before.fields, before.marker)
        if self._sites.is_proven:
            raise ApplyError(
                f"nginx loads nothing that NPM writes: a new host is not served at "
                f"{self._sites.edge}, with this change or without",
                STUCK,
                live=before,
                retry=True,
            )
        return replace(prepared, before=before), False

    def _take_back(self, outcome: WriteOutcome, move: DomainMove, trouble: str) -> ApplyError:
        """Is rid of it in any case: nothing else is loaded by nginx until then."""
        error = self._hosts.take_back(outcome, move, trouble)
        live = error.live
        if live is None or error.restored or not KINDS[live.kind].is_enabled(live.fields):
            return error
        off = self._npm.disable(KINDS[live.kind], live.npm_id)
        hint = "Fix the entry in the file; it is disabled until then."
        return ApplyError(trouble, hint, live=off, retry=False, restored=True)

    def _unreached(self, ports: Ports) -> str | None:
        """Which of the ports nobody gets to from here, though nginx listens on them."""
        assert self._sites.edge is not None
        host = self._sites.edge.host
        closed = [p for p in sorted(ports) if p[0] == "tcp" and not _connects(host, p[1])]
        if not closed:
            return None
        return (
            f"nginx listens on it, but {_list(closed)} is not reached at {host}: publish it where "
            "NPM runs in a container, or look at firewalls"
        )


def _ports(prepared: PreparedWrite) -> Ports:
    kind, target = KINDS[prepared.change.kind], prepared.target
    return kind.ports(target) if target is not None and kind.is_enabled(target) else frozenset()


def _taken(ports: Ports) -> str:
    return (
        f"nginx loads nothing with it, though NPM says that all is well: something else on NPM's "
        f"machine has {_list(ports)}"
    )


def _unproved(ports: Ports, why: str) -> str:
    return f"not verified that {_list(ports)} is free on NPM's machine: {why}"


def _list(ports: Iterable[tuple[str, int]]) -> str:
    return " or ".join(f"{protocol}/{port}" for protocol, port in sorted(ports))


def _connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), CONNECTS_WITHIN).close()
    except (OSError, UnicodeError):
        return False
    return True
