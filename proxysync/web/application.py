"""All endpoints behind one guard; whatever goes wrong is answered in one shape."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from proxysync.model.errors import ProxysyncError
from proxysync.model.redact import redact_text
from proxysync.web.answers import error, of_error
from proxysync.web.context import Context
from proxysync.web.endpoints import (
    about,
    badges,
    description,
    health,
    liveness,
    log,
    metrics,
    page,
    plan,
    resources,
    stream,
    validation,
    writing,
)
from proxysync.web.guard import Guard

ENDPOINTS = (
    validation,
    resources,
    writing,
    health,
    plan,
    log,
    stream,
    liveness,
    metrics,
    badges,
    description,
    about,
    page,
)


LONGEST_PATH = 200
"""Characters of a path that an answer repeats."""


def application(context: Context) -> ASGIApp:
    """What answers all requests."""

    def known(_request: Request, found: Exception) -> Response:
        assert isinstance(found, ProxysyncError)
        return of_error(found)

    def http(request: Request, found: Exception) -> Response:
        assert isinstance(found, HTTPException)
        code, message = "request.refused", found.detail
        headers, path = found.headers, request.url.path[:LONGEST_PATH]
        if found.status_code == 404:
            code, message = "path.unknown", f"there is nothing at {path}"
        if found.status_code == 405:
            headers = {"Allow": ", ".join(_methods(routes, request))}
            message = f"{path} does not take {request.method}"
        return error(found.status_code, code, message, "See /api/openapi.json.", headers)

    def unforeseen(_request: Request, found: Exception) -> Response:
        message = redact_text(f"{type(found).__name__}: {found}", context.secrets)
        return error(
            500,
            "bug",
            f"proxysync itself failed: {message}",
            "This is a bug. Please report it.",
        )

    routes = [route for endpoint in ENDPOINTS for route in endpoint.routes(context)]
    handlers = {ProxysyncError: known, HTTPException: http, Exception: unforeseen}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # each thing has one address
    return Guard(app, context.settings)


def _methods(routes: Sequence[Route], request: Request) -> list[str]:
    """What the path can be asked for; Starlette tells of the first route of it only."""
    path = next(r.path for r in routes if r.matches(request.scope)[0] != Match.NONE)
    return sorted({method for r in routes if r.path == path for method in r.methods or ()})
