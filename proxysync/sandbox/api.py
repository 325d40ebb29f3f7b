"""The API: which request goes where, who may, and what a refusal looks like."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from proxysync.sandbox.access_lists import AccessLists
from proxysync.sandbox.auth import Access
from proxysync.sandbox.body import validate
from proxysync.sandbox.calls import MISSING, Call, Reply, Request, expand_of, query_of, read_body
from proxysync.sandbox.certificates import Certificates
from proxysync.sandbox.errors import ApiError, Denied, NotFoundError, internal_error, not_found
from proxysync.sandbox.hosts import Hosts
from proxysync.sandbox.nginx import NginxError
from proxysync.sandbox.rows import SERVED_KINDS, STREAM, Row, Store
from proxysync.sandbox.schema import bodies, published
from proxysync.sandbox.streams import Streams

_DEFAULT_SITE = {
    "id": "default-site",
    "name": "Default Site",
    "description": "The answer to an unknown Host",
    "value": "congratulations",
    "meta": {},
}


class Collection(Protocol):
    """What hosts, access lists and certificates have in common."""

    def all(self, access: Access, expand: Sequence[str], query: str | None) -> list[Row]: ...
    def get(self, access: Access, row_id: int | None, expand: Sequence[str] = ()) -> Row: ...
    def create(self, access: Access, body: Mapping[str, Any]) -> Row: ...
    def delete(self, access: Access, row_id: int | None) -> bool: ...


Handler = Callable[[Call], Reply]


@dataclass(frozen=True)
class _Route:
    method: str
    path: re.Pattern[str]
    handler: Handler
    public: bool = False


class Api:
    """Answers requests. `requests` and `writes` are (method, path), in the order of arrival."""

    def __init__(self, store: Store, reported_version: str) -> None:
        self._store = store
        self._version = reported_version
        self.backend = store.backend
        self._bodies = bodies(store.behaviour)
        self._schema = published(store.behaviour, reported_version)
        self.requests: list[tuple[str, str]] = []
        self.writes: list[tuple[str, str]] = []
        self._routes = [*self._general_routes(), *self._collection_routes()]

    def answer(self, request: Request) -> Reply:
        """The answer to one request. Raises NeverAnswers where NPM does not answer at all."""
        with self._store.lock:
            self.requests.append((request.method, request.path))
            try:
                reply = self._dispatch(request)
            except NotFoundError as error:
                blank = self._store.behaviour.blank_rows
                reply = _about_nothing(request) if blank else _refusal(error, request)
            except ApiError as error:
                reply = _refusal(error, request)
            except NginxError:
                reply = _refusal(internal_error(), request)
            except Denied:
                reply = _refusal(self._denial(request), request)
        if reply.status == 500 and not self._store.behaviour.failures_have_a_code:
            reply.payload["error"].pop("code", None)
        if self._store.behaviour.booleans:
            return reply
        return Reply(reply.status, _with_integers(reply.payload))

    def _dispatch(self, request: Request) -> Reply:
        body = read_body(request.raw)
        for route in self._routes:
            match = route.path.fullmatch(request.path)
            if match and request.method == route.method:
                token = None if route.public else request.token
                access = self._store.accounts.load(token)
                row = match.groupdict().get("row", "")
                return route.handler(Call(request, access, body, row))
        raise not_found_path(request.path)

    def _denial(self, request: Request) -> ApiError:
        status = self._store.behaviour.denied_status
        if request.path.endswith("/dns-providers"):
            status = 403
        if status:
            return ApiError(status, "Permission Denied")
        hosts_post = (request.method, request.path.rstrip("/")) == ("POST", "/nginx/proxy-hosts")
        if hosts_post or request.path in ("/users/me", "/tokens"):
            return internal_error()
        return not_found_path(request.path)

    def _general_routes(self) -> list[_Route]:
        accounts = self._store.accounts
        log_in, second = self._body("/tokens"), self._body("/tokens/2fa")
        routes: list[tuple[str, str, Handler, bool]] = [
            ("GET", "/", self._health, True),
            ("GET", "/schema", lambda _: Reply(200, self._schema), True),
            ("POST", "/tokens", lambda call: Reply(200, accounts.log_in(log_in(call))), True),
            (
                "POST",
                "/tokens/2fa",
                lambda call: Reply(200, accounts.second_factor(second(call))),
                True,
            ),
            ("GET", "/tokens", self._refresh, False),
            ("GET", "/users", self._users, False),
            ("GET", "/users/(?P<row>[^/]+)", self._user, False),
            ("GET", "/reports/hosts", self._report, False),
            ("GET", "/settings", self._settings, False),
            ("GET", "/settings/(?P<row>[^/]+)", self._setting, False),
            ("GET", "/audit-log", self._audit, False),
            ("GET", "/audit-log/(?P<row>[^/]+)", self._audit_entry, False),
            ("GET", "/nginx/certificates/dns-providers", self._dns_providers, False),
        ]
        if self._store.behaviour.version >= (2, 13, 5):
            routes.append(("GET", "/version/check", _version_check, True))
        return [
            _Route(method, re.compile(path + "/?" if path != "/" else path), handler, public)
            for method, path, handler, public in routes
        ]

    def _collection_routes(self) -> list[_Route]:
        store = self._store
        routes = []
        for kind in SERVED_KINDS:
            path = f"/nginx/{kind.label}s"
            hosts = Streams(store) if kind is STREAM else Hosts(store, kind)
            routes += self._rows(path, hosts, kind.resource, kind.expands)
            for action, act in (("enable", hosts.enable), ("disable", hosts.disable)):
                routes.append(self._action(f"{path}/(?P<row>[^/]+)/{action}", kind.resource, act))
            row = "{streamID}" if kind is STREAM else "{hostID}"
            update = self._update(f"{path}/{row}", kind.resource, hosts.update)
            routes.append(_Route("PUT", re.compile(f"{path}/(?P<row>[^/]+)"), update))
        lists, expands = AccessLists(store), ("owner", "items", "clients")
        routes += self._rows(
            "/nginx/access-lists", lists, "access_lists", expands, ("proxy_hosts",)
        )
        update = self._update("/nginx/access-lists/{listID}", "access_lists", lists.update)
        routes.append(_Route("PUT", re.compile("/nginx/access-lists/(?P<row>[^/]+)"), update))
        relations = ("owner", *(kind.resource for kind in SERVED_KINDS))
        certificates, path = Certificates(store), "/nginx/certificates"
        routes += [
            _Route(
                "POST", re.compile(f"{path}/validate"), _on_files(certificates.examine), public=True
            ),
            _Route("POST", re.compile(f"{path}/(?P<row>[^/]+)/upload"), self._upload(certificates)),
        ]
        return routes + self._rows(path, certificates, "certificates", relations)

    def _upload(self, certificates: Certificates) -> Handler:
        def uploaded(call: Call) -> Reply:
            self._authorise(call, "certificates")
            keep = partial(certificates.upload, call.access, call.written_id)
            return _on_files(keep)(call)

        return uploaded

    def _rows(
        self,
        path: str,
        rows: Collection,
        resource: str,
        expands: Sequence[str],
        single: Sequence[str] = (),
    ) -> list[_Route]:
        body = self._body(path)

        def listed(call: Call) -> Reply:
            expand, query = expand_of(call.request, expands), query_of(call.request)
            nested = any("." in name for name in expand)
            if nested and not self._store.behaviour.nested_in_lists:
                raise internal_error()
            call.access.need(resource)
            return Reply(200, rows.all(call.access, expand, query))

        def read(call: Call) -> Reply:
            row_id, expand = call.read_id, expand_of(call.request, (*expands, *single))
            call.access.need(resource)
            return Reply(200, rows.get(call.access, row_id, expand))

        def created(call: Call) -> Reply:
            data = body(call)
            self._authorise(call, resource)
            return Reply(201, rows.create(call.access, data))

        one = re.compile(f"{path}/(?P<row>[^/]+)")
        every = re.compile(f"{path}/?")
        return [
            _Route("GET", every, listed),
            _Route("POST", every, created),
            _Route("GET", one, read),
            self._action(one.pattern, resource, rows.delete, "DELETE"),
        ]

    def _action(
        self,
        path: str,
        resource: str,
        act: Callable[[Access, int | None], Any],
        method: str = "POST",
    ) -> _Route:
        def acted(call: Call) -> Reply:
            self._authorise(call, resource)
            return Reply(200, act(call.access, call.written_id))

        return _Route(method, re.compile(path), acted)

    def _update(
        self,
        path: str,
        resource: str,
        act: Callable[[Access, int | None, Mapping[str, Any]], Row],
    ) -> Handler:
        body = self._body(path, "put")

        def updated(call: Call) -> Reply:
            data = body(call)
            self._authorise(call, resource)
            return Reply(200, act(call.access, call.written_id, data))

        return updated

    def _body(self, path: str, method: str = "post") -> Callable[[Call], Any]:
        schema = self._bodies[path, method]
        legacy = self._store.behaviour.legacy_validation

        def checked(call: Call) -> Any:
            if call.body is MISSING:
                raise ApiError(400, "Payload is undefined")
            return validate(schema, call.body, legacy=legacy)

        return checked

    def _authorise(self, call: Call, resource: str) -> None:
        call.access.need(resource, "manage")
        self.writes.append((call.request.method, call.request.path))

    def _health(self, _: Call) -> Reply:
        major, minor, revision = (int(part) for part in self._version.split("."))
        health: dict[str, Any] = {"status": "OK"}
        if self._store.behaviour.health_setup:
            health["setup"] = True
        numbers = {"major": major, "minor": minor, "revision": revision}
        return Reply(200, {**health, "version": numbers})

    def _refresh(self, call: Call) -> Reply:
        if not call.access.claimed_id:
            raise Denied
        expiry = call.request.query.get("expiry") or "1d"
        return Reply(200, self._store.accounts.issue(call.access.claimed_id, expiry))

    def _users(self, call: Call) -> Reply:
        call.access.need_admin()
        return Reply(200, [user.row() for user in self._store.accounts.all()])

    def _user(self, call: Call) -> Reply:
        own = call.row == "me"
        if call.access.user is None:
            raise Denied
        user_id = call.access.user_id if own else call.read_id
        if user_id != call.access.user_id:
            call.access.need_admin()
        user = self._store.accounts.get(user_id)
        if user is None:
            raise not_found(user_id)
        expand = expand_of(call.request, ("permissions",))
        rights = {"permissions": user.rights()} if expand else {}
        return Reply(200, {**user.row(), **rights})

    def _report(self, call: Call) -> Reply:
        if call.access.user is None:
            raise Denied
        counts = {
            kind.label.removesuffix("-host"): sum(
                call.access.sees(row) for row in self._store.hosts[kind.table].live()
            )
            for kind in SERVED_KINDS
        }
        return Reply(200, counts)

    def _settings(self, call: Call) -> Reply:
        call.access.need_admin()
        return Reply(200, [_DEFAULT_SITE])

    def _setting(self, call: Call) -> Reply:
        call.access.need_admin()
        if call.row != _DEFAULT_SITE["id"]:
            raise ApiError(404, f"Not Found - {call.row}")
        return Reply(200, _DEFAULT_SITE)

    def _audit(self, call: Call) -> Reply:
        call.access.need_admin()
        entries = self._store.audit_log()
        if expand_of(call.request, ("user",)):
            entries = [{**one, "user": self._store.owner(one["user_id"])} for one in entries]
        return Reply(200, entries)

    def _audit_entry(self, call: Call) -> Reply:
        row_id = call.read_id
        call.access.need_admin()
        return Reply(200, self._store.audit_entry(row_id))

    def _dns_providers(self, call: Call) -> Reply:
        if not call.access.claimed_id:
            raise Denied
        return Reply(200, [])


def not_found_path(path: str) -> ApiError:
    """The 404 that names the path: nothing there, or nothing for this caller."""
    return ApiError(404, f"Not Found - {path}")


def _on_files(act: Callable[[Mapping[str, str]], Row]) -> Handler:
    def answer(call: Call) -> Reply:
        if not call.request.files:
            return Reply(400, {"error": "No files were uploaded"})
        return Reply(200, act(call.request.files))

    return answer


def _about_nothing(request: Request) -> Reply:
    """What NPM before 2.12 answers about a row that is not there."""
    in_lists = request.path.startswith("/nginx/access-lists")
    if request.method == "GET":
        blank = dict.fromkeys(("id", "created_on", "modified_on", "owner_user_id", "name", "meta"))
        return Reply(200, {**blank, "proxy_host_count": 0} if in_lists else {})
    if request.method == "DELETE" and in_lists:
        return Reply(200, payload=True)
    if request.path.endswith("/disable"):
        return _refusal(ApiError(400, "Host is already disabled"), request)
    return _refusal(internal_error(400 if request.method == "PUT" else 500), request)


def _version_check(_: Call) -> Reply:
    return Reply(200, {"current": None, "latest": None, "update_available": False})


def _refusal(error: ApiError, request: Request) -> Reply:
    content: dict[str, Any] = {"code": error.status, "message": error.message}
    if error.i18n is not None:
        content["message_i18n"] = error.i18n
    payload: dict[str, Any] = {"error": content}
    if request.path.startswith("/nginx/certificates"):
        payload["debug"] = {"stack": [f"Error: {error.message}"], "previous": None}
    return Reply(error.status, payload)


def _with_integers(payload: Any) -> Any:
    """Rows as NPM before 2.12 shows them: 0 and 1 for its own flags, not in what users wrote."""
    if isinstance(payload, list):
        return [_with_integers(part) for part in payload]
    if not isinstance(payload, dict):
        return payload
    return {
        name: int(value)
        if isinstance(value, bool)
        else value
        if name in ("meta", "locations")
        else _with_integers(value)
        for name, value in payload.items()
    }
