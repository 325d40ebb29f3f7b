"""Hosts: create, change, enable, disable and delete, in NPM's order and with its traps."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proxysync.sandbox.auth import Access
from proxysync.sandbox.errors import ApiError, internal_error
from proxysync.sandbox.nginx import FileName, NginxError
from proxysync.sandbox.render import Access as AccessRules
from proxysync.sandbox.render import render
from proxysync.sandbox.rows import (
    DEAD_HOST,
    HOST_KINDS,
    PROXY_HOST,
    HostKind,
    Row,
    Store,
    by_names,
    matching,
    shown,
)


class Hosts:
    """One type of host in one NPM. Raises ApiError, and NginxError where NPM answers 500."""

    def __init__(self, store: Store, kind: HostKind) -> None:
        self._store = store
        self._kind = kind
        self._table = store.hosts[kind.table]
        self._noun = "Host"
        self._hidden: tuple[str, ...] = ()

    def all(self, access: Access, expand: Sequence[str], query: str | None) -> list[Row]:
        """The list as NPM orders it."""
        rows = [row for row in self._table.live() if access.sees(row)]
        found = matching(rows, query, self._searched)
        return [self._expanded(row, expand) for row in self._ordered(found)]

    def get(self, access: Access, row_id: int | None, expand: Sequence[str] = ()) -> Row:
        """One host."""
        return self._expanded(self._table.visible(access, row_id), expand)

    def create(self, access: Access, body: Mapping[str, Any]) -> Row:
        """A new host. Its answer was read before nginx had its say."""
        wants_new = body.get("certificate_id") == "new"
        data = {name: value for name, value in body.items() if not _is_new(name, value)}
        self._checked(data, None)
        columns = {**self._columns(), **_stored(self._normal(data))}
        row = self._table.insert(access.user_id, columns)
        if wants_new:
            refuse_certificate(self._store, row["domain_names"])
        answer = self._expanded(row, self._all_expands())
        self._configure(row)
        self._log(access, "created", row["id"], {**body, "owner_user_id": access.user_id})
        return answer

    def update(self, access: Access, row_id: int | None, body: Mapping[str, Any]) -> Row:
        """A shallow patch; a host that is disabled afterwards is left to nginx as it is."""
        wants_new = body.get("certificate_id") == "new"
        patch = {name: value for name, value in body.items() if not _is_new(name, value)}
        self._checked(patch, row_id)
        row = self._table.visible(access, row_id)
        if wants_new:
            refuse_certificate(self._store, patch.get("domain_names") or row["domain_names"])
        before = dict(row)
        merged = _stored(self._normal({**row, **patch}))
        late = self._lags
        # A dead host's flags are stored as sent, and nginx gets the row as it was before.
        self._table.patch(row, _stored(patch) if late else merged)
        self._log(access, "updated", row["id"], merged)
        answer = self._expanded(row, self._all_expands())
        if late:
            # It has not looked up the certificate of that row, either.
            row["meta"] = self._render_and_test(before, certificate=False)
            return answer
        if row["enabled"] or self._kind is not PROXY_HOST:
            self._configure(row)
        return {**answer, "meta": dict(row["meta"])}

    @property
    def _lags(self) -> bool:
        return self._kind is DEAD_HOST and self._store.behaviour.dead_hosts_lag

    def delete(self, access: Access, row_id: int | None) -> bool:
        """Marks the row, removes the file, reloads."""
        row = self._table.visible(access, row_id)
        row["is_deleted"] = True
        self._store.nginx.remove(self._file(row))
        self._store.nginx.reload()
        self._log(access, "deleted", row["id"], shown(row))
        return True

    def enable(self, access: Access, row_id: int | None) -> bool:
        """Renders the host without the users and clients of its access list."""
        row = self._table.visible(access, row_id)
        if row["enabled"]:
            raise ApiError(400, f"{self._noun} is already enabled")
        self._table.patch(row, {"enabled": True})
        self._configure(row, bare_list=True)
        self._log(access, "enabled", row["id"], shown(row))
        return True

    def disable(self, access: Access, row_id: int | None) -> Any:
        """Removes the file and reloads; `meta` goes on saying what it said.

        For a dead host NPM answers before it looks, and nobody catches what is wrong then.
        """
        if not self._lags:
            return self._disabled(access, row_id)
        try:
            self._disabled(access, row_id)
        except (ApiError, NginxError):
            self._store.backend.exit()
        return {}

    def _disabled(self, access: Access, row_id: int | None) -> bool:
        row = self._table.visible(access, row_id)
        if not row["enabled"]:
            raise ApiError(400, f"{self._noun} is already disabled")
        self._table.patch(row, {"enabled": False})
        self._store.nginx.remove(self._file(row))
        self._store.nginx.reload()
        self._log(access, "disabled", row["id"], shown(row))
        return True

    def render(self, row: Row, *, bare_list: bool = False, certificate: bool = True) -> str:
        """The host's file, empty for a disabled one; a bare list has lost its users and clients."""
        if not row["enabled"] and not self._store.behaviour.serves_disabled:
            return ""
        found = self._store.certificates.find(row["certificate_id"]) if certificate else None
        return self._text(row, found, bare_list=bare_list)

    def _text(self, row: Row, certificate: Row | None, *, bare_list: bool) -> str:
        rules = access_rules(self._store, row.get("access_list_id", 0), bare=bare_list)
        if row.get("forward_scheme") == "auto" and self._store.behaviour.auto_scheme:
            row = {**row, "forward_scheme": "$scheme"}
        return render(self._kind.table, row, certificate, rules)

    def _file(self, row: Row) -> FileName:
        return self._kind.table, row["id"]

    def _configure(self, row: Row, *, bare_list: bool = False) -> None:
        meta = self._render_and_test(row, bare_list=bare_list)
        self._table.patch(row, {"meta": meta})

    def _render_and_test(
        self, row: Row, *, bare_list: bool = False, certificate: bool = True
    ) -> dict[str, Any]:
        text = self.render(row, bare_list=bare_list, certificate=certificate)
        refusal = self._store.nginx.configure(self._file(row), text)
        if refusal and self._store.behaviour.quotes_commands:
            refusal = f'Command failed: /usr/sbin/nginx -t -g "error_log off;"\n{refusal}'
        return {**row["meta"], "nginx_online": refusal is None, "nginx_err": refusal}

    def _searched(self, row: Row) -> str:
        return json.dumps(row["domain_names"])

    def _ordered(self, rows: Iterable[Row]) -> list[Row]:
        return by_names(rows)

    def _normal(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return normalised(data)

    def _checked(self, data: Mapping[str, Any], own_id: int | None) -> None:
        """Raises ApiError if the row must not be stored: its names are taken."""
        names: Sequence[str] = data.get("domain_names", ())
        taken = {
            name.lower()
            for kind in HOST_KINDS
            for row in self._store.hosts[kind.table].live()
            if not (kind is self._kind and row["id"] == own_id)
            for name in row["domain_names"]
        }
        for name in names:
            if name.lower() in taken:
                raise ApiError(400, f"{name} is already in use")

    def _columns(self) -> dict[str, Any]:
        columns = dict(self._kind.columns)
        if not self._store.behaviour.trust_forwarded_proto:
            columns.pop("trust_forwarded_proto", None)
        return columns

    def _all_expands(self) -> tuple[str, ...]:
        if self._kind is PROXY_HOST:
            return ("certificate", "owner", "access_list", "access_list.items,clients")
        return ("certificate", "owner")

    def _expanded(self, row: Row, expand: Sequence[str]) -> Row:
        answer = shown(row, *self._hidden)
        if "owner" in expand:
            answer["owner"] = self._store.owner(row["owner_user_id"])
        if "certificate" in expand and "certificate_id" not in self._hidden:
            found = self._store.certificates.find(row["certificate_id"])
            answer["certificate"] = {**found, "meta": {}} if found else None
        if "access_list" in expand:
            rules = self._store.access_lists.find(row["access_list_id"])
            parts = next((one for one in expand if one.startswith("access_list.")), "")
            hidden = {"items", "clients"} - set(parts.partition(".")[2].split(","))
            kept = {**shown(rules, *hidden), "is_deleted": False} if rules else None
            answer["access_list"] = kept
        return answer

    def _log(self, access: Access, action: str, row_id: int, meta: Mapping[str, Any]) -> None:
        self._store.log(access, action, self._kind.label, row_id, dict(meta))


def access_rules(store: Store, list_id: int, *, bare: bool) -> AccessRules | None:
    """What nginx gets to know of an access list; one that is missing counts as empty."""
    if not list_id:
        return None
    deny_all = store.behaviour.always_deny_all
    row = store.access_lists.find(list_id)
    if row is None:
        return AccessRules(list_id, deny_all=deny_all)
    return AccessRules(
        list_id,
        items=bool(row["items"]) and not bare,
        clients=() if bare else tuple((one["directive"], one["address"]) for one in row["clients"]),
        satisfy_any=row["satisfy_any"],
        pass_auth=row["pass_auth"],
        deny_all=deny_all,
    )


def refuse_certificate(store: Store, names: Sequence[str]) -> None:
    """No certificate authority is in reach: what NPM does then to the sites that share a name.

    Raises ApiError 500 when it is done.
    """
    wanted = {name.lower() for name in names}
    for kind in HOST_KINDS:
        for row in store.hosts[kind.table].live():
            if wanted & {name.lower() for name in row["domain_names"]}:
                text = Hosts(store, kind).render(row, bare_list=True, certificate=False)
                store.nginx.write((kind.table, row["id"]), text)
    store.nginx.reload()
    raise internal_error()


def normalised(data: Mapping[str, Any]) -> dict[str, Any]:
    """Clears the SSL flags that need another one. The text "0" counts as a certificate."""
    cleaned = dict(data)
    if not cleaned.get("certificate_id"):
        cleaned.update(ssl_forced=False, http2_support=False)
    if not cleaned.get("ssl_forced"):
        cleaned["hsts_enabled"] = False
    if not cleaned.get("hsts_enabled"):
        cleaned["hsts_subdomains"] = False
    return cleaned


def _is_new(name: str, value: Any) -> bool:
    return name == "certificate_id" and value == "new"


def _stored(data: Mapping[str, Any]) -> dict[str, Any]:
    stored = dict(data)
    if "certificate_id" in stored:
        stored["certificate_id"] = int(stored["certificate_id"])
    if "domain_names" in stored:
        names: list[str] = stored["domain_names"]
        stored["domain_names"] = sorted(
            names, key=lambda name: name.encode("utf-16-be", "surrogatepass")
        )
    return stored
