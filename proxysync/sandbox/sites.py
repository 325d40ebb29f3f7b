"""The sites, as a visitor sees them: interprets the configuration that nginx is serving."""

import base64
import http.client
import ipaddress
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from proxysync.sandbox.conf import ConfError, Directive, location_kind, split_upstream
from proxysync.sandbox.nginx import Nginx, certificate_id

DEFAULT_PAGE = b"<!doctype html><title>Default site</title><h1>Congratulations!</h1>"
_HOP_BY_HOP = {
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[\w.-]+")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_REDIRECTIONS = {301, 302, 303, 307, 308}
"""Where nginx takes the text of a `return` for an address; elsewhere it is the page."""

_KNOWN = {*range(400, 407), *range(408, 417), 421, 429, *range(494, 498), *range(500, 506), 507}
"""The statuses that nginx has a page for."""

_HTTPS_ONLY = "Strict-Transport-Security"
"""A header that NPM writes by a map of the scheme."""

_ADDED_TO = {200, 201, 204, 206, 301, 302, 303, 304, 307, 308}


@dataclass(frozen=True)
class Visit:
    """One request of a visitor; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    client: str
    scheme: str = "http"

    @property
    def host(self) -> str:
        """The Host header as nginx compares it: lower case, no port, no final dot."""
        return re.sub(r":\d+$", "", self.headers.get("host", "")).lower().rstrip(".")

    @property
    def path(self) -> str:
        """The path that locations are compared with: decoded, no query."""
        return unquote(urlsplit("http://x" + self.target).path) or "/"


@dataclass(frozen=True)
class Page:
    """The answer to a visit."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class _Scope:
    """The directives in force, an inner block's after an outer one's, and the variables."""

    visit: Visit
    blocks: list[tuple[Directive, ...]]
    variables: dict[str, str] = field(default_factory=dict)

    def nearest(self, *names: str) -> list[Directive]:
        """What the innermost block that has any of these says: nginx inherits all or nothing."""
        for block in reversed(self.blocks):
            found = [one for one in block if one.name in names]
            if found:
                return found
        return []

    def expand(self, text: str) -> str:
        return _VARIABLE.sub(lambda found: self._value(found[1] or found[2]), text)

    def _value(self, name: str) -> str:
        name = name.lower()
        url = urlsplit("http://x" + self.visit.target)
        known = {
            "host": self.visit.host,
            "request_uri": self.visit.target,
            "uri": self.visit.path,
            "args": url.query,
            "query_string": url.query,
            "is_args": "?" if url.query else "",
            "scheme": self.visit.scheme,
            "remote_addr": self.visit.client,
            "proxy_add_x_forwarded_for": self.visit.client,
            "request_method": self.visit.method,
            **self.variables,
        }
        if name.startswith("http_"):
            return self.visit.headers.get(name[5:].replace("_", "-"), "")
        return known.get(name, "")


class Sites:
    """Answers visits by what nginx serves at the moment.

    `connect` opens a connection to (scheme, host, port), so that the server can end it.
    """

    def __init__(
        self, nginx: Nginx, connect: Callable[[str, str, int], http.client.HTTPConnection]
    ) -> None:
        self._nginx = nginx
        self._connect = connect

    def visit(self, visit: Visit) -> Page:
        """The page that the visitor gets."""
        server = find_server(servers_for(self._nginx, visit.scheme), visit.host)
        if server is None or server.block is None:
            # The default site is one static page: it has no other path.
            return _html(200, DEFAULT_PAGE) if visit.path == "/" else error_page(404)
        scope = _Scope(visit, [server.block])
        page = _rewritten(server.block, scope)
        if page is None:
            location = find_location(server.block, visit.path)
            page = self._in_location(location, scope) if location else error_page(404)
        if page.status not in _ADDED_TO:
            return page
        added = [
            (scope.expand(one.args[0]), scope.expand(one.args[1]))
            for one in scope.nearest("add_header")
            if visit.scheme == "https" or one.args[0] != _HTTPS_ONLY
        ]
        return Page(page.status, page.body, (*page.headers, *added))

    def _in_location(self, location: Directive, scope: _Scope) -> Page:
        block = location.block or ()
        if location_kind(location.args)[1] == scope.visit.path + "/":
            return Page(301, b"", (("Location", scope.expand("http://$host$uri/")),))
        scope.blocks.append(block)
        page = _rewritten(block, scope) or self._denied(scope)
        if page is not None:
            return page
        target = next((one.args[0] for one in block if one.name == "proxy_pass"), None)
        return error_page(404) if target is None else self._forward(target, location, scope)

    def _denied(self, scope: _Scope) -> Page | None:
        rules = scope.nearest("allow", "deny")
        users = scope.nearest("auth_basic_user_file")
        switched_off = any(one.args[0] == "off" for one in scope.nearest("auth_basic"))
        checks = []
        if rules:
            checks.append(None if _allowed(rules, scope.visit.client) else error_page(403))
        if users and not switched_off:
            checks.append(self._logged_in(users[0].args[0], scope.visit))
        any_will_do = any(one.args[0] == "any" for one in scope.nearest("satisfy"))
        if any_will_do and None in checks:
            return None
        # Who may still get in with a password is asked for it, and not sent away.
        refusals = [page for page in checks if page is not None]
        return (refusals[-1] if any_will_do else refusals[0]) if refusals else None

    def _logged_in(self, path: str, visit: Visit) -> Page | None:
        users = self._nginx.users.get(int(path.rpartition("/")[2]))
        if users is None:
            return error_page(403)
        scheme, _, encoded = visit.headers.get("authorization", "").partition(" ")
        try:
            name, _, word = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            name, word = "", ""
        if scheme.lower() == "basic" and name in users and users[name] == word:
            return None
        asked = ("WWW-Authenticate", 'Basic realm="Authorization required"')
        return error_page(401, asked)

    def _forward(self, target: str, location: Directive, scope: _Scope) -> Page:
        visit = scope.visit
        if "$server" in target and not _HOST.fullmatch(scope.expand("$server")):
            return error_page(500)
        try:
            host, port, uri = split_upstream(scope.expand(target))
        except ConfError:
            return error_page(500)
        if not _HOST.fullmatch(host) or not (port or "80").isdecimal():
            return error_page(500)
        if not self._nginx.resolves(host):
            return error_page(502)
        if not uri:
            uri = visit.target
        elif "$" not in target:
            uri = _replaced(location, uri, visit)
        scheme = scope.expand(target).partition(":")[0]
        headers = {n: v for n, v in visit.headers.items() if n not in _HOP_BY_HOP}
        for one in scope.nearest("proxy_set_header"):
            headers.pop(one.args[0].lower(), None)
            if one.args[0].lower() not in _HOP_BY_HOP and scope.expand(one.args[1]):
                headers[one.args[0].lower()] = scope.expand(one.args[1])
        number = int(port) if port else {"http": 80, "https": 443}[scheme]
        return self._fetch(scheme, host.strip("[]"), number, visit, uri, headers)

    def _fetch(
        self,
        scheme: str,
        host: str,
        port: int,
        visit: Visit,
        uri: str,
        headers: Mapping[str, str],
    ) -> Page:
        connection = self._connect(scheme, host, port)
        try:
            connection.request(visit.method, uri, visit.body or None, dict(headers))
            response = connection.getresponse()
            body = response.read()
            kept = [(n, v) for n, v in response.getheaders() if n.lower() not in _HOP_BY_HOP]
            return Page(response.status, body, tuple(kept))
        except TimeoutError:
            return error_page(504)
        except (OSError, http.client.HTTPException, ValueError):
            return error_page(502)
        finally:
            connection.close()


def error_page(status: int, *headers: tuple[str, str]) -> Page:
    """What nginx itself answers: a small page that names the status, if it knows it."""
    if status not in _KNOWN:
        return _html(status, b"", *headers)
    text = f"{status} {http.client.responses.get(status, '')}"
    return _html(status, f"<html><title>{text}</title><h1>{text}</h1></html>".encode(), *headers)


def servers_for(nginx: Nginx, scheme: str) -> list[Directive]:
    """The servers that listen for this scheme."""
    return [one for one in nginx.answering if scheme == "http" or _certificate_of(one)]


def context_for(nginx: Nginx, name: str) -> ssl.SSLContext | None:
    """What answers a handshake for this name; nothing does where no site has a certificate."""
    server = find_server(servers_for(nginx, "https"), name)
    files = nginx.serving_certificates.get(_certificate_of(server)) if server else None
    return files.context if files else None


def _certificate_of(server: Directive) -> int:
    paths = [one.args[0] for one in server.block or () if one.name == "ssl_certificate"]
    return certificate_id(paths[0]) if paths else 0


def find_server(servers: Iterable[Directive], host: str) -> Directive | None:
    """The server for a host: an exact name, then the longest `*.x`, then the longest `x.*`."""
    best: tuple[int, int] = (0, 0)
    found = None
    for server in servers:
        for one in server.block or ():
            for name in one.args if one.name == "server_name" else ():
                rank = _rank(name.lower(), host)
                if rank > best:
                    best, found = rank, server
    return found


def _rank(name: str, host: str) -> tuple[int, int]:
    bare = name.removeprefix(".")
    if host in (name, bare):
        return 3, 0
    suffix = name.removeprefix("*") if name.startswith("*.") else name
    if suffix.startswith(".") and host.endswith(suffix) and len(host) > len(suffix):
        return 2, len(suffix)
    if name.endswith(".*") and host.startswith(name[:-1]) and len(host) >= len(name):
        return 1, len(name)
    return 0, 0


def _html(status: int, body: bytes, *headers: tuple[str, str]) -> Page:
    return Page(status, body, (("Content-Type", "text/html"), *headers))


def find_location(block: Iterable[Directive], path: str) -> Directive | None:
    """The location for a path: exact, then the longest prefix, unless an expression matches.

    A path that lacks only the final slash of a proxied location gets that one, to be sent there.
    """
    locations = [(*location_kind(one.args), one) for one in block if one.name == "location"]
    prefixes = [entry for entry in locations if entry[0] in ("", "^~")]
    exact = [one for modifier, prefix, one in locations if modifier == "=" and prefix == path]
    matching = [entry for entry in prefixes if path.startswith(entry[1])]
    longest = max(matching, key=lambda entry: len(entry[1]), default=None)
    if not exact and (longest is None or longest[1] != path):
        exact = [one for _, prefix, one in prefixes if prefix == path + "/" and _proxies(one)]
    if exact:
        return exact[0]
    if longest is None or longest[0] != "^~":
        for modifier, pattern, one in locations:
            flags = re.IGNORECASE if modifier == "~*" else 0
            if modifier in ("~", "~*") and re.search(pattern, path, flags):
                return one
    return longest[2] if longest else None


def _proxies(location: Directive) -> bool:
    return any(one.name == "proxy_pass" for one in location.block or ())


def _rewritten(block: Iterable[Directive], scope: _Scope) -> Page | None:
    for one in block:
        if one.name == "set":
            scope.variables[one.args[0][1:].lower()] = scope.expand(one.args[1])
        elif one.name == "return":
            return _returned(one.args, scope)
        elif _forces_https(one) and not _came_by_https(scope):
            target = scope.expand("https://$host$request_uri")
            return Page(301, b"", (("Location", target),))
    return None


def _forces_https(one: Directive) -> bool:
    return one.name == "include" and one.args[0].endswith("/force-ssl.conf")


def _came_by_https(scope: _Scope) -> bool:
    if scope.visit.scheme == "https":
        return True
    headers = scope.visit.headers
    told = "https" in (headers.get("x-forwarded-proto"), headers.get("x-forwarded-scheme"))
    return told and scope.variables.get("trust_forwarded_proto") == "T"


def _returned(args: tuple[str, ...], scope: _Scope) -> Page:
    if not args[0].isdigit():
        return Page(302, b"", (("Location", scope.expand(args[0])),))
    status = int(args[0])
    text = scope.expand(args[1]) if len(args) > 1 else ""
    if not text and status >= 400:
        return error_page(status)
    if text and status in _REDIRECTIONS:
        return Page(status, b"", (("Location", text),))
    return Page(status, text.encode(), (("Content-Type", "text/plain"),))


def _allowed(rules: Iterable[Directive], client: str) -> bool:
    address = ipaddress.ip_address(client)
    for rule in rules:
        who = rule.args[0]
        if who == "all" or address in ipaddress.ip_network(who, strict=False):
            return rule.name == "allow"
    return True


def _replaced(location: Directive, uri: str, visit: Visit) -> str:
    prefix = location_kind(location.args)[1]
    query = urlsplit("http://x" + visit.target).query
    return uri + visit.path[len(prefix) :] + (f"?{query}" if query else "")
