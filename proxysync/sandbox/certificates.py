"""Certificates: custom ones can be made and read, with their keys in clear as NPM has it."""

from collections.abc import Mapping, Sequence
from typing import Any

from proxysync.sandbox.auth import Access, now
from proxysync.sandbox.errors import internal_error
from proxysync.sandbox.hosts import refuse_certificate
from proxysync.sandbox.rows import HOST_KINDS, Row, Store, matching, shown


class Certificates:
    """The certificates of one NPM."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table = store.certificates

    def all(self, access: Access, expand: Sequence[str], query: str | None) -> list[Row]:
        """The certificates, by nice name."""
        rows = [row for row in self._table.live() if access.sees(row)]
        found = matching(rows, query, lambda row: str(row["nice_name"]))
        return [self._shown(row, expand) for row in sorted(found, key=lambda r: r["nice_name"])]

    def get(self, access: Access, row_id: int | None, expand: Sequence[str] = ()) -> Row:
        """One certificate."""
        return self._shown(self._table.visible(access, row_id), expand)

    def create(self, access: Access, body: Mapping[str, Any]) -> Row:
        """An empty custom certificate; Let's Encrypt is out of reach and fails."""
        if body["provider"] == "letsencrypt":
            if not body.get("domain_names"):
                raise internal_error()
            refuse_certificate(self._store, body["domain_names"])
        row = self._table.insert(access.user_id, columns(body.get("nice_name", ""), [], now()))
        row["meta"] = dict(body.get("meta", {}))
        self._store.log(access, "created", "certificate", row["id"], dict(body))
        return shown(row)

    def delete(self, access: Access, row_id: int | None) -> bool:
        """Deletes the row; the files stay, so hosts serve on until they are written again."""
        row = self._table.visible(access, row_id)
        row["is_deleted"] = True
        self._store.log(access, "deleted", "certificate", row["id"], shown(row, "meta"))
        return True

    def _shown(self, row: Row, expand: Sequence[str]) -> Row:
        answer = shown(row)
        if "owner" in expand:
            answer["owner"] = self._store.owner(row["owner_user_id"])
        for kind in HOST_KINDS:
            if kind.resource in expand:
                hosts = self._store.hosts[kind.table].live()
                using = [shown(host) for host in hosts if host["certificate_id"] == row["id"]]
                answer[kind.resource] = using
        return answer


def columns(nice_name: str, domain_names: Sequence[str], expires_on: str) -> dict[str, Any]:
    """The columns of a custom certificate."""
    return {
        "provider": "other",
        "nice_name": nice_name,
        "domain_names": list(domain_names),
        "expires_on": expires_on,
        "meta": {},
    }
