"""What this server lets its clients do, so that a page offers nothing that is refused."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync import __version__
from proxysync.config.api_settings import WRITE
from proxysync.web.answers import answer
from proxysync.web.context import Context
from proxysync.web.parameters import require_known


def routes(context: Context) -> list[Route]:
    async def about(request: Request) -> Response:
        require_known(request.query_params, ())
        reason = _why_not(context)
        may = {"allowed": reason is None, "reason": reason}
        return answer(request, {"version": __version__, "write": may})

    return [Route("/api/about", about)]


def _why_not(context: Context) -> str | None:
    """Why nothing can be written through the API."""
    if context.env.remote is not None:
        return "the file comes from a git repository: edit it in a clone and push"
    if not context.settings.write:
        return f"the API may not change the file ({WRITE} is not set)"
    return None
