"""The API over HTTP: from the bytes of a request to those of its answer."""

import hashlib
import json
from email.message import Message
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from proxysync.sandbox.api import Api
from proxysync.sandbox.calls import Request, read_files
from proxysync.sandbox.errors import NeverAnswers
from proxysync.sandbox.server import Handler

_BAD_GATEWAY = b"<html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1></html>"


def api_handler(api: Api, latency: "Latency") -> type[Handler]:
    """The handler class for one sandbox's API."""

    class ApiHandler(Handler):
        def _answer(self) -> None:
            raw = self.body()
            url = urlsplit(self.path)
            if url.path == "/api":
                self.send(302, [("Location", "/api/")], b"")
                return
            if latency.seconds:
                self.server.stopping.wait(latency.seconds)
            if not url.path.startswith("/api/"):
                self._send_json(404, {"error": {"code": 404, "message": "Not Found"}})
                return
            if self.command == "OPTIONS":
                self.send(204, [], b"")
                return
            if api.backend.is_down:
                self.send(502, [("Content-Type", "text/html")], _BAD_GATEWAY)
                return
            try:
                reply = api.answer(_request(self.command, url, self.headers, raw))
            except NeverAnswers:
                self.server.stopping.wait()
                self.close_connection = True
                return
            self._send_json(reply.status, reply.payload)

        def _send_json(self, status: int, payload: Any) -> None:
            text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
            body = text.encode("utf-8", "surrogatepass")
            digest = hashlib.sha1(body, usedforsecurity=False).hexdigest()
            etag = f'W/"{len(body):x}-{digest[:27]}"'
            headers = [("Content-Type", "application/json; charset=utf-8"), ("ETag", etag)]
            fresh = self.headers.get("If-None-Match") == etag
            no_cache = "no-cache" in self.headers.get("Cache-Control", "")
            if self.command == "GET" and status == 200 and fresh and not no_cache:
                status = 304
            self.send(status, headers, body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer  # noqa: N815

    return ApiHandler


class Latency:
    """Seconds added to each answer of the API."""

    seconds: float = 0


def _request(method: str, url: SplitResult, headers: Message, raw: bytes) -> Request:
    json_body = headers.get_content_type() == "application/json"
    multipart = headers.get_content_maintype() == "multipart"
    return Request(
        method,
        url.path.removeprefix("/api"),
        dict(parse_qsl(url.query, keep_blank_values=True)),
        _bearer(headers.get("Authorization", "")),
        raw if json_body else None,
        read_files(raw, headers["Content-Type"]) if multipart else None,
    )


def _bearer(header: str) -> str | None:
    scheme, _, token = header.partition(" ")
    return token if scheme == "Bearer" and token else None
