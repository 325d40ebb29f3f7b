"""What this server lets its clients do, so that a page offers nothing that is refused."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync import __version__
from proxysync.web.answers import answer
from proxysync.web.context import Context
from proxysync.web.endpoints.writing import why_not
from proxysync.web.parameters import require_known


def routes(context: Context) -> list[Route]:
    async def about(request: Request) -> Response:
        require_known(request.query_params, ())
        refused = why_not(context)
        may = {"allowed": refused is None, "reason": refused.message if refused else None}
        return answer(request, {"version": __version__, "write": may})

    return [Route("/api/about", about)]
