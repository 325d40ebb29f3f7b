"""Whether the daemon is alive, and whether an edit of the file would reach NPM."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proxysync import __version__
from proxysync.app.readiness import readiness, unknown
from proxysync.app.vitals import STUCK
from proxysync.config.errors import ConfigError
from proxysync.config.models import Settings
from proxysync.model.errors import ProxysyncError
from proxysync.model.redact import redact
from proxysync.web.answers import NOT_KEPT
from proxysync.web.context import Context


def routes(context: Context) -> list[Route]:
    async def healthz(_request: Request) -> Response:
        silent = context.vitals.silent_for
        value = {"status": "ok", "version": __version__}
        if silent > STUCK:
            value["status"] = f"stuck: no sign of life for {silent:.0f} s"
        return JSONResponse(value, 200 if silent <= STUCK else 503, NOT_KEPT)

    def readyz(_request: Request) -> Response:
        secrets = context.secrets
        try:
            status = context.board.read()
            secrets = {**secrets, **status.secrets}
            found = readiness(status, context.vitals, _resync_interval())
        except ProxysyncError as error:
            found = unknown(error, context.vitals)
        value = redact(found.to_json(), secrets)
        return JSONResponse(value, 200 if found.ok else 503, NOT_KEPT)

    def _resync_interval() -> float:
        try:
            return context.file.load().settings.resync_interval
        except ConfigError:
            return Settings().resync_interval

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
