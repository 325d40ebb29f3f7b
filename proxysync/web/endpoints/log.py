"""What happened and what was applied: `events` and `history` as an API."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync.app.events import events
from proxysync.app.history import history
from proxysync.app.history_run import run_details
from proxysync.web.answers import answer, error
from proxysync.web.context import Context
from proxysync.web.parameters import MOST, USUAL, event_query, number, require_known


def routes(context: Context) -> list[Route]:
    folder = context.env.state_dir

    def page(request: Request) -> Response:
        return answer(request, events(folder, event_query(request.query_params)).to_json())

    def runs(request: Request) -> Response:
        require_known(request.query_params, ("limit",))
        found = history(folder, number(request.query_params, "limit", MOST) or USUAL)
        return answer(request, found.to_json())

    def run(request: Request) -> Response:
        require_known(request.query_params, ())
        number_ = request.path_params["run"]
        if not number_.isascii() or not number_.isdigit() or len(number_) > 18:
            return error(404, "run.unknown", f'there is no run "{number_[:100]}"')
        return answer(request, run_details(folder, int(number_)).to_json())

    return [
        Route("/api/events", page),
        Route("/api/history", runs),
        Route("/api/history/{run}", run),
    ]
