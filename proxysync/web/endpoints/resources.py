"""Every entry and every host in NPM, and how it is: `status` as an API."""

from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proxysync.app.choose import Only, did_you_mean
from proxysync.app.status import EntryStatus
from proxysync.app.status_view import Status
from proxysync.kinds import KINDS
from proxysync.model import Key
from proxysync.model.redact import redact
from proxysync.web.answers import NOT_KEPT, Json, answer, error
from proxysync.web.context import Context
from proxysync.web.parameters import require_known

PROXY = "proxy"


def routes(context: Context) -> list[Route]:
    """`/api/proxies`, and the same for every kind under `/api/resources`."""

    def listing(key: str, *, foreign: bool = False) -> Callable[[Request], Response]:
        def answered(request: Request) -> Response:
            require_known(request.query_params, ("tag",))
            tag = request.query_params.get("tag")
            kind = PROXY if key == "proxies" else request.path_params.get("kind")
            if kind is not None and kind not in KINDS:
                return no_kind(kind)
            status, only = context.board.read(), Only(kind, tag)

            def made() -> Json:
                entries = (e for e in status.entries if only.takes(e.kind, e.tags))
                return Json.of(_listed(status, key, entries, foreign=foreign))

            if tag is not None:  # there is no end of tags that can be asked for
                return answer(request, made())
            return answer(request, context.board.made(status, (key, kind, foreign), made))

        return answered

    def one(request: Request) -> Response:
        require_known(request.query_params, ())
        key = Key(request.path_params.get("kind", PROXY), request.path_params["name"])
        if key.kind not in KINDS:
            return no_kind(key.kind)
        status = context.board.read()
        found = next((e for e in status.entries if e.key == key and not e.is_foreign), None)
        if found is None:
            return no_entry(key, status)
        return _single(context, found, key, status)

    return [
        Route("/api/proxies", listing("proxies")),
        Route("/api/proxies/all", listing("proxies", foreign=True)),
        Route("/api/proxies/{name}", one),
        Route("/api/resources", listing("resources")),
        Route("/api/resources/all", listing("resources", foreign=True)),
        Route("/api/resources/{kind}", listing("resources")),
        Route("/api/resources/{kind}/{name}", one),
    ]


def _single(context: Context, found: EntryStatus, key: Key, status: Status) -> Response:
    """How an entry is, what happened to it, and what stands in the file for it."""
    written = context.definitions.read(key)
    value: Any = {
        **found.to_json(),
        "changes": context.board.last_events(key),
        "definition": written.fields,
        "fingerprint": written.fingerprint or None,
    }
    # The tag is for If-Match: that the file is the same does not mean that the answer is.
    tag = {"ETag": f'"{written.fingerprint}"'} if written.fingerprint else {}
    return JSONResponse(redact(value, status.secrets), headers={**NOT_KEPT, **tag})


def _listed(
    status: Status, key: str, entries: Iterable[EntryStatus], *, foreign: bool
) -> dict[str, Any]:
    value = status.with_entries(e for e in entries if foreign or not e.is_foreign).to_json()
    value[key] = value.pop("proxies")
    return value


def no_entry(key: Key, status: Status) -> Response:
    """404, with the name of its kind that may be meant."""
    names = {e.key.name for e in status.entries if e.key and e.key.kind == key.kind}
    near: str | None = redact(did_you_mean([key.name], names), status.secrets)
    return error(404, "entry.unknown", f"there is no {key.kind} named {key.name}", near)


def no_kind(kind: str) -> Response:
    """404, with all kinds that there are."""
    return error(
        404, "kind.unknown", f'there is no kind "{kind[:100]}"', f"There are: {', '.join(KINDS)}."
    )
