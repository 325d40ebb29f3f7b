"""How well entries did: 90 days and the last checks, of all in one answer or of one in detail."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync.app.health_history import histories, history_of
from proxysync.kinds import KINDS
from proxysync.model import Key, clock
from proxysync.model.redact import redact
from proxysync.web.answers import answer
from proxysync.web.context import Context
from proxysync.web.endpoints.resources import no_entry, no_kind
from proxysync.web.parameters import require_known


def routes(context: Context) -> list[Route]:
    folder = context.env.state_dir

    def all_of_them(request: Request) -> Response:
        require_known(request.query_params, ())
        status = context.board.read()
        watched = [e.key for e in status.entries if e.key and e.interval is not None]
        value = histories(folder, watched, clock.now()).to_json()
        for entry in value["entries"]:
            entry["name"] = redact(entry["name"], status.secrets)
        return answer(request, value)

    def one(request: Request) -> Response:
        require_known(request.query_params, ())
        key = Key(request.path_params["kind"], request.path_params["name"])
        if key.kind not in KINDS:
            return no_kind(key.kind)
        status = context.board.read()
        if not any(e.key == key and e.managed for e in status.entries):
            return no_entry(key, status)
        return answer(request, history_of(folder, key, clock.now()).to_json())

    return [
        Route("/api/health", all_of_them),
        Route("/api/resources/{kind}/{name}/health", one),
    ]
