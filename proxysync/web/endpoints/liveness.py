"""Whether the server is alive."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync import __version__
from proxysync.web.answers import answer
from proxysync.web.context import Context


def routes(_context: Context) -> list[Route]:
    async def healthz(request: Request) -> Response:
        return answer(request, {"status": "ok", "version": __version__})

    return [Route("/healthz", healthz)]
