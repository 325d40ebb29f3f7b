"""Streams: ports passed on as they are, in NPM's order and with its traps."""

from collections.abc import Iterable, Mapping
from typing import Any

from proxysync.sandbox.hosts import Hosts
from proxysync.sandbox.render import render_stream
from proxysync.sandbox.rows import STREAM, Row, Store


class Streams(Hosts):
    """The streams of one NPM. No port is too many for the rows: nginx alone refuses doubles."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, STREAM)
        if store.behaviour.version < (2, 12, 3):
            self._hidden = ("certificate_id",)
        self._noun = "Stream" if store.behaviour.version >= (2, 12, 3) else "Host"

    def _text(self, row: Row, certificate: Row | None, *, bare_list: bool) -> str:  # noqa: ARG002
        return render_stream(row, certificate)

    def _checked(self, data: Mapping[str, Any], own_id: int | None) -> None:
        """Nothing is unique."""

    def _normal(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in data.items() if name != "domain_names"}

    def _searched(self, row: Row) -> str:
        return str(row["incoming_port"])

    def _ordered(self, rows: Iterable[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: row["incoming_port"])
