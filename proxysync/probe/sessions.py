"""TLS sessions to go on with, as nginx has them: who was asked just before costs less to ask."""

import ssl
import time
from dataclasses import dataclass

from proxysync.probe.tls import Tls

MOST = 1000
"""Upstreams whose sessions are kept; any more have a full handshake each time. One takes 13 KiB."""

FULL_AFTER = 3600.0
"""Seconds after which there is a full handshake again, whatever the peer would take."""


@dataclass(frozen=True)
class Kept:
    """The session of a full handshake; None is a peer that goes on with none. `until` is in the
    time of `time.monotonic`.
    """

    session: ssl.SSLSession | None
    until: float


class Sessions:
    """What peers gave for the next connection, by their addresses; for one event loop.

    Whoever fails with one drops it, so that the next handshake is a full one.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}  # in the order of `until`

    def find(self, peer: str) -> Kept | None:
        """What is known of a peer; None if that is nothing, or too old."""
        kept = self._kept.get(peer)
        return kept if kept is not None and time.monotonic() < kept.until else None

    def drop(self, peer: str) -> None:
        self._kept.pop(peer, None)

    def learn(self, peer: str, found: Kept | None, tls: Tls) -> None:
        """Once an answer has come: where no session was taken up, this connection's is the next."""
        if found is not None and (found.session is None or tls.is_resumed):
            return
        self.drop(peer)
        now = time.monotonic()
        if len(self._kept) >= MOST:
            oldest = next(iter(self._kept))
            if now < self._kept[oldest].until:
                return
            self.drop(oldest)
        self._kept[peer] = Kept(tls.session, now + FULL_AFTER)
