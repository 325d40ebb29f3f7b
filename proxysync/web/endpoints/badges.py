"""Badges of entries that ask for one in the file."""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync.app.status import EntryStatus
from proxysync.model import Key
from proxysync.web.answers import error
from proxysync.web.badge import AMBER, GREEN, GREY, RED, badge
from proxysync.web.context import Context

HEADERS = {
    "Cache-Control": "max-age=60",
    # They are made to be shown by other pages, all else is not.
    "Cross-Origin-Resource-Policy": "cross-origin",
}

COLORS = {"healthy": GREEN, "unhealthy": RED, "not served": RED}
WINDOW = "7d"

Draw = Callable[[EntryStatus], str]


def routes(context: Context) -> list[Route]:
    """Each under the entry's name where it is unique, and under its kind and name."""

    def drawn(draw: Draw, request: Request) -> Response:
        kind, name = request.path_params.get("kind"), request.path_params["name"]
        asked = [key for key in _opted(context) if key.name == name and kind in (None, key.kind)]
        found = [e for e in context.board.read().entries if e.managed and e.key in asked]
        if len(asked) != 1 or len(found) != 1:
            hint = "An entry of the file asks for one with `badge: true`."
            return error(404, "badge.unknown", "there is no such badge", hint)
        return Response(draw(found[0]), media_type="image/svg+xml", headers=HEADERS)

    pictures: dict[str, Draw] = {"health": health, f"uptime-{WINDOW}": uptime}
    return [
        Route(f"/badge/{entry}/{what}.svg", partial(drawn, draw), methods=["GET"])
        for what, draw in pictures.items()
        for entry in ("{name}", "{kind}/{name}")
    ]


def health(entry: EntryStatus) -> str:
    """Whether the upstream is well, and NPM serves it."""
    status = "not served" if entry.edge.status == "not_served" else entry.health.status
    return badge(entry.name or "", status, COLORS.get(status, GREY))


def uptime(entry: EntryStatus) -> str:
    """The share of the last days in which it was well, rounded down: 100 % is all of it."""
    share = entry.uptime[WINDOW].share
    label = f"{entry.name} {WINDOW}"
    if share is None:
        return badge(label, "unknown", GREY)
    color = GREEN if share >= 0.999 else AMBER if share >= 0.95 else RED
    return badge(label, f"{int(share * 10_000) / 100:g} %", color)


def _opted(context: Context) -> list[Key]:
    config = context.file.last_valid()
    return [r.key for r in config.resources if r.entry.has_badge] if config else []
