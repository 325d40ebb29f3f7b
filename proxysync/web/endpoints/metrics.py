"""What Prometheus scrapes."""

from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync.web.context import Context
from proxysync.web.metrics import StatusCollector

PLAIN = choose_encoder("")
FORMATS = {
    "application/openmetrics-text": choose_encoder("application/openmetrics-text; version=1.0.0"),
    "text/plain": PLAIN,
}
"""What can be asked for: how it is written, and what it is called then."""


def routes(context: Context) -> list[Route]:
    registry = context.instruments.registry
    registry.register(StatusCollector(context.board.read, context.vitals))

    def metrics(request: Request) -> Response:
        asked = (one.partition(";")[0] for one in request.headers.get("accept", "").split(","))
        known = (FORMATS[one.strip()] for one in asked if one.strip() in FORMATS)
        encode, content_type = next(known, PLAIN)
        headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
        return Response(encode(registry), headers=headers)

    return [Route("/metrics", metrics)]
