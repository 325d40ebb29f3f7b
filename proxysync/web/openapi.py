"""The description of the API in OpenAPI 3.1: every path, parameter and status."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from proxysync import __version__
from proxysync.config.json_schema import entry_schema
from proxysync.kinds import KINDS
from proxysync.model.event import SEVERITIES, SOURCES
from proxysync.store.query import LARGEST_ID
from proxysync.web.parameters import MOST
from proxysync.web.shapes import SHAPES, Schema, one_of, ref

JSON, SSE, SVG = "application/json", "text/event-stream", "image/svg+xml"

REASONS = {
    304: "Nothing has changed since the answer of that `If-None-Match`.",
    400: "Something was asked for that cannot be meant.",
    401: "The token is missing or wrong.",
    403: "It is not allowed, or another site's page asks.",
    404: "There is no such thing.",
    405: "The path knows no such method.",
    408: "The body has not come in time.",
    409: "The file has errors, comes from git, cannot be edited there, or has the entry already.",
    412: "The file is not the one that `If-Match` names.",
    413: "The body is too large.",
    415: "The body is not said to be JSON.",
    421: "proxysync does not go by the name in `Host`.",
    422: "The edit does not pass, and nothing was written.",
    429: "It was asked for too often; `Retry-After` says when to come again.",
    503: "NPM or the state cannot be had now, too many listen, or proxysync is stopping.",
}
ALWAYS = (400, 401, 404, 405, 413, 421)
READING = (*ALWAYS, 409, 503)
SENDING = (*READING, 403, 408, 415, 429)


def _parameter(name: str, schema: Schema, where: str = "query", about: str = "") -> Schema:
    found: Schema = {"name": name, "in": where, "schema": schema}
    if where == "path":
        found["required"] = True
    if about:
        found["description"] = about
    return found


def _text(**more: Any) -> Schema:
    return {"type": "string", **more}


def _number(most: int, least: int = 1) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


TAG = _parameter("tag", _text(minLength=1), about="Only entries with this tag.")
NAME = _parameter("name", _text(minLength=1), "path")
KIND = _parameter("kind", one_of(*KINDS), "path")
FILTERS = (
    _parameter("severity", one_of(*SEVERITIES), about="The least that counts."),
    _parameter("source", one_of(*SOURCES)),
    _parameter("kind", one_of(*KINDS)),
    _parameter("name", _text(minLength=1)),
    _parameter("proxy", _text(minLength=1), about="Short for kind=proxy and name."),
    _parameter("since", _text(minLength=1), about="An age like 2h, or a time in ISO 8601."),
)
LIMIT = _parameter("limit", _number(MOST))
BEFORE = _parameter("before", _number(LARGEST_ID), about="Events with lower ids.")
AFTER = _parameter("after", _number(LARGEST_ID, 0), about="Events with higher ids.")
LAST_ID = _parameter("Last-Event-ID", _number(LARGEST_ID, 0), "header", "As `after`, and over it.")
WAIT = _parameter("wait", _text(pattern="^([0-9]|[1-9][0-9]|1[01][0-9])s$"))
IF_MATCH = _parameter("If-Match", _text(), "header", "The fingerprint that the file must have.")


def _content(schema: Schema, kind: str = JSON) -> Schema:
    return {"content": {kind: {"schema": schema}}}


def _refusals(statuses: tuple[int, ...]) -> Schema:
    errors = {422: ref("NotEdited")}
    return {
        str(status): {
            "description": REASONS[status],
            **({} if status == 304 else _content(errors.get(status, ref("Error")))),
        }
        for status in sorted(set(statuses))
    }


def _operation(
    summary: str,
    answer: Mapping[str, Any],
    *parameters: Schema,
    statuses: tuple[int, ...] = READING,
    status: int = 200,
    body: Schema | None = None,
) -> Schema:
    found: Schema = {
        "summary": summary,
        "responses": {
            str(status): {"description": "Done.", **answer},
            **_refusals(statuses),
        },
    }
    if parameters:
        found["parameters"] = list(parameters)
    if body is not None:
        found["requestBody"] = {"required": True, **_content(body)}
    return found


def _reading(summary: str, shape: str, *parameters: Schema) -> Schema:
    answer = _content(ref(shape))
    return {"get": _operation(summary, answer, *parameters, statuses=(*READING, 304))}


def _of_proxies() -> Schema:
    edited = _content(ref("Edited"))
    editing = (*SENDING, 412, 422)
    checked = {"type": "object", "properties": {"name": _text()}, "additionalProperties": True}
    steps = {"content": {**_content(ref("ValidationResult"))["content"], SSE: {"schema": _text()}}}
    create = _operation(
        "Add an entry to the file",
        edited,
        WAIT,
        IF_MATCH,
        statuses=editing,
        status=201,
        body=ref("NewProxyEntry"),
    )
    replace = _operation(
        "Give an entry other fields",
        edited,
        NAME,
        WAIT,
        IF_MATCH,
        statuses=editing,
        body=ref("ProxyEntry"),
    )
    remove = _operation(
        "Take an entry out of the file", edited, NAME, WAIT, IF_MATCH, statuses=editing
    )
    check = _operation(
        "Check an entry as if it stood in the file", steps, statuses=SENDING, body=checked
    )
    return {
        "/api/proxies": {**_reading("How all proxies are", "Proxies", TAG), "post": create},
        "/api/proxies/all": _reading("The same with those that are not ours", "Proxies", TAG),
        "/api/proxies/validate": {"post": check},
        "/api/proxies/{name}": {
            **_reading("How a proxy is", "EntryDetails", NAME),
            "put": replace,
            "delete": remove,
        },
    }


def _of_every_kind() -> Schema:
    one = "/api/resources/{kind}/{name}"
    return {
        "/api/resources": _reading("How all entries are", "Resources", TAG),
        "/api/resources/all": _reading("The same with those that are not ours", "Resources", TAG),
        "/api/resources/{kind}": _reading("How those of a kind are", "Resources", KIND, TAG),
        one: _reading("How an entry is", "EntryDetails", KIND, NAME),
        f"{one}/health": _reading("The history of an entry", "EntryHistory", KIND, NAME),
        "/api/health": _reading("The history of all entries, in short", "Histories"),
    }


def _of_the_log() -> Schema:
    stream = _operation(
        "Events as they happen", _content(_text(), SSE), *FILTERS, AFTER, LAST_ID, statuses=READING
    )
    run = _parameter("run", _text(pattern="^[0-9]{1,18}$"), "path")
    return {
        "/api/events": _reading("What happened", "Events", *FILTERS, LIMIT, BEFORE),
        "/api/events/stream": {"get": stream},
        "/api/history": _reading("What was applied", "History", LIMIT),
        "/api/history/{run}": _reading("One run with its edits", "Run", run),
        "/api/plan": _reading("What would change in NPM", "Plan"),
    }


def _of_other_programs() -> Schema:
    picture = _content(_text(), SVG)
    badges = {
        f"/badge/{entry}/{what}.svg": {
            "get": _operation("A picture of an entry that asks for one", picture, *parameters)
        }
        for what in ("health", "uptime-7d")
        for entry, parameters in (("{name}", (NAME,)), ("{kind}/{name}", (KIND, NAME)))
    }
    ready, live = (
        _operation("Would an edit reach NPM?", _content(ref("Readiness"))),
        _operation("Is the daemon alive?", _content(ref("Liveness"))),
    )
    live["responses"]["503"] = {"description": "It is stuck.", **_content(ref("Liveness"))}
    ready["responses"]["503"] = {"description": "It would not.", **_content(ref("Readiness"))}
    described = _operation(
        "This description", _content({"type": "object"}), statuses=(*READING, 304)
    )
    metrics = _operation("For Prometheus", _content(_text(), "text/plain"))
    return {
        "/api/about": _reading("What this server lets its clients do", "About"),
        "/api/openapi.json": {"get": described},
        "/metrics": {"get": metrics},
        **badges,
        "/healthz": {"get": {**live, "security": []}},
        "/readyz": {"get": ready},
    }


@cache
def document() -> Schema:
    """The whole of it."""
    entry, models = entry_schema(next(k.section for k in KINDS.values() if k.is_essential), ref)
    new = {**entry, "properties": {"name": _text(), **entry["properties"]}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "proxysync",
            "version": __version__,
            "description": "Keeps Nginx Proxy Manager in sync with a file. See docs/api.md.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{"token": []}, {}],
        "paths": {**_of_proxies(), **_of_every_kind(), **_of_the_log(), **_of_other_programs()},
        "components": {
            "schemas": {**SHAPES, **models, "ProxyEntry": entry, "NewProxyEntry": new},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
