"""What the API can be asked for, as programs read it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync.web.answers import answer
from proxysync.web.context import Context
from proxysync.web.openapi import document
from proxysync.web.parameters import require_known


def routes(_context: Context) -> list[Route]:
    def description(request: Request) -> Response:
        require_known(request.query_params, ())
        return answer(request, document())

    return [Route("/api/openapi.json", description)]
