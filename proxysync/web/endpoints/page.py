"""The status page: files that hold nothing secret, so that they want no token."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync.web.answers import error
from proxysync.web.context import Context

FOLDER = Path(__file__).parents[1] / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def routes(_context: Context) -> list[Route]:
    async def index(request: Request) -> Response:
        return _sent(request, "index.html")

    async def file(request: Request) -> Response:
        return _sent(request, request.path_params["file"])

    return [Route("/", index), Route("/static/{file}", file)]


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Each file with its tag. They are read once: an upgrade restarts the daemon."""
    found = ((path.name, path.read_bytes()) for path in FOLDER.iterdir() if path.suffix in TYPES)
    return {
        name: (content, f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"')
        for name, content in found
    }


def _sent(request: Request, name: str) -> Response:
    if name not in _files():
        return error(404, "path.unknown", f'the page has no file "{name[:100]}"')
    content, tag = _files()[name]
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers={**headers, "Content-Type": TYPES[Path(name).suffix]})
