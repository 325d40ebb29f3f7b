"""Access lists, with what changing them does to the hosts behind them."""

from collections.abc import Mapping, Sequence
from typing import Any

from proxysync.sandbox.auth import Access, now
from proxysync.sandbox.errors import NeverAnswers, internal_error
from proxysync.sandbox.hosts import Hosts
from proxysync.sandbox.rows import PROXY_HOST, Row, Store, matching, shown


class AccessLists:
    """The access lists of one NPM; their users' passwords are kept in clear, as NPM does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table = store.access_lists

    def all(self, access: Access, expand: Sequence[str], query: str | None) -> list[Row]:
        """The lists, by name."""
        rows = [row for row in self._table.live() if access.sees(row)]
        found = matching(rows, query, lambda row: str(row["name"]))
        return [self._shown(row, expand) for row in sorted(found, key=lambda row: row["name"])]

    def get(self, access: Access, row_id: int | None, expand: Sequence[str] = ()) -> Row:
        """One list."""
        return self._shown(self._table.visible(access, row_id), expand)

    def create(self, access: Access, body: Mapping[str, Any]) -> Row:
        """A new list. A body without `items` is a 500 after the row is there."""
        row = self._insert(access.user_id, body)
        if "items" not in body:
            raise internal_error()
        for item in body["items"]:
            if "password" not in item or "username" not in item:
                raise internal_error()
            self._add(row, "items", username=item["username"], password=item["password"])
        self._add_clients(row, body.get("clients", ()))
        self._write_users(row)
        self._log(access, "created", row)
        return self._shown(row, ("owner", "items", "clients", "proxy_hosts"))

    def update(self, access: Access, row_id: int | None, body: Mapping[str, Any]) -> Row:
        """Changes a list and renders its hosts anew, all of them before the first test."""
        row = self._table.visible(access, row_id)
        if "name" in body:
            changes = {n: body[n] for n in ("name", "satisfy_any", "pass_auth") if n in body}
            self._table.patch(row, changes)
        if "items" in body:
            self._replace_items(row, body["items"])
        if "clients" in body:
            row["clients"] = []
            self._add_clients(row, body["clients"])
        if self._store.behaviour.lists_are_late:
            self._store.nginx.reload()
        self._log(access, "updated", row)
        self._write_users(row)
        self._render_hosts(self._store.proxy_hosts_using(row["id"]), certificate=True)
        if not self._store.behaviour.lists_are_late:
            self._store.nginx.reload()
        return self._shown(row, ("owner", "items", "clients", "proxy_hosts"))

    def delete(self, access: Access, row_id: int | None) -> bool:
        """Deletes a list; hosts that had it stay up, open and without their certificate."""
        row = self._table.visible(access, row_id)
        row["is_deleted"] = True
        hosts = self._store.proxy_hosts_using(row["id"])
        for host in hosts:
            self._store.hosts[PROXY_HOST.table].patch(host, {"access_list_id": 0})
        self._render_hosts(hosts, certificate=False)
        self._store.nginx.reload()
        self._store.nginx.users.pop(row["id"], None)
        self._log(access, "deleted", row)
        return True

    def add(
        self,
        owner_user_id: int,
        name: str,
        items: Sequence[Mapping[str, str]],
        clients: Sequence[Mapping[str, str]],
    ) -> int:
        """Stores a whole list, and returns its id."""
        row = self._insert(owner_user_id, {"name": name})
        for item in items:
            self._add(row, "items", username=item["username"], password=item["password"])
        self._add_clients(row, clients)
        self._write_users(row)
        return int(row["id"])

    def _insert(self, owner_user_id: int, body: Mapping[str, Any]) -> Row:
        columns = {
            "name": body["name"],
            "meta": {},
            "satisfy_any": body.get("satisfy_any", False),
            "pass_auth": body.get("pass_auth", True),
            "items": [],
            "clients": [],
        }
        return self._table.insert(owner_user_id, columns)

    def _add(self, row: Row, part: str, **columns: str) -> None:
        entry = {
            "id": self._store.next_list_entry(),
            "created_on": now(),
            "modified_on": now(),
            "access_list_id": row["id"],
            **columns,
            "meta": {},
        }
        row[part].append(entry)

    def _add_clients(self, row: Row, clients: Sequence[Mapping[str, str]]) -> None:
        for client in clients:
            if client.get("address"):
                if "directive" not in client:
                    raise internal_error()
                address, directive = client["address"], client["directive"]
                self._add(row, "clients", address=address, directive=directive)

    def _replace_items(self, row: Row, items: Sequence[Mapping[str, str]]) -> None:
        kept = {item.get("username") for item in items if not item.get("password")}
        row["items"] = [one for one in row["items"] if one["username"] in kept]
        for item in items:
            if item.get("password"):
                self._add(row, "items", username=item["username"], password=item["password"])

    def _write_users(self, row: Row) -> None:
        users = {item["username"]: item["password"] for item in row["items"]}
        self._store.nginx.users[row["id"]] = {n: word for n, word in users.items() if word}
        if not all(users.values()):
            # NPM waits for ever for the end of an empty password's encryption.
            raise NeverAnswers

    def _render_hosts(self, rows: Sequence[Row], *, certificate: bool) -> None:
        hosts = Hosts(self._store, PROXY_HOST)
        for row in rows:
            text = hosts.render(row, certificate=certificate)
            self._store.nginx.write((PROXY_HOST.table, row["id"]), text)

    def _shown(self, row: Row, expand: Sequence[str]) -> Row:
        hosts = self._store.proxy_hosts_using(row["id"])
        answer = {**shown(row, "items", "clients"), "proxy_host_count": len(hosts)}
        if "owner" in expand:
            answer["owner"] = self._store.owner(row["owner_user_id"])
        if "items" in expand:
            answer["items"] = [_masked(item) for item in row["items"]]
        if "clients" in expand:
            answer["clients"] = [dict(client) for client in row["clients"]]
        if "proxy_hosts" in expand:
            answer["proxy_hosts"] = [{**shown(host), "is_deleted": False} for host in hosts]
        return answer

    def _log(self, access: Access, action: str, row: Row) -> None:
        meta = self._shown(row, ("items", "clients"))
        self._store.log(access, action, "access-list", row["id"], meta)


def _masked(item: Mapping[str, Any]) -> Row:
    password: str = item["password"]
    units = password.encode("utf-16-le", "surrogatepass")
    first = units[:2].decode("utf-16-le", "surrogatepass")
    hint = first + "*" * (len(units) // 2 - 1) if password else "*" * 9
    return {**item, "password": "", "hint": hint}
