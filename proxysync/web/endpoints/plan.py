"""What would change in NPM: `plan` as an API."""

from contextlib import closing

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync.app.plan import plan_as_seen
from proxysync.app.state_folder import read_folder
from proxysync.web.answers import answer
from proxysync.web.context import Context
from proxysync.web.parameters import require_known


def routes(context: Context) -> list[Route]:
    def plan(request: Request) -> Response:
        require_known(request.query_params, ())
        config = context.file.load()
        seen = context.look()
        if seen.snapshot is None:
            assert seen.trouble is not None
            raise seen.trouble
        with closing(read_folder(context.env.state_dir)) as stored:
            return answer(request, plan_as_seen(config, seen.snapshot, stored).to_json())

    return [Route("/api/plan", plan)]
