"""All endpoints behind one guard; whatever goes wrong is answered in one shape."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from proxysync.model.errors import ProxysyncError
from proxysync.model.redact import redact_text
from proxysync.web.answers import error, of_error
from proxysync.web.context import Context
from proxysync.web.endpoints import (
    badges,
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
    writing,
    resources,
    health,
    plan,
    log,
    stream,
    liveness,
    metrics,
    badges,
    page,
)


def application(context: Context) -> ASGIApp:
    """What answers all requests."""

    def known(_request: Request, found: Exception) -> Response:
        assert isinstance(found, ProxysyncError)
        return of_error(found)

    def http(_request: Request, found: Exception) -> Response:
        assert isinstance(found, HTTPException)
        code = "path.unknown" if found.status_code == 404 else "request.refused"
        return error(found.status_code, code, found.detail, "See /api/openapi.json.", found.headers)

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
    return Guard(Starlette(routes=routes, exception_handlers=handlers), context.settings)
