"""The HTTP server beside the daemon: a thread of its own, up and down with it."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import uvicorn

from proxysync.app.vitals import Vitals
from proxysync.config.api_settings import EXAMPLE, LISTEN, ApiSettings, Listening
from proxysync.config.environment import Environment
from proxysync.config.setting import SettingError
from proxysync.store.bus import Bus
from proxysync.web.application import application
from proxysync.web.context import Context
from proxysync.web.listener import BACKLOG, allow_many, listen
from proxysync.web.visitor import Visitor

START = 10.0
"""Seconds that it has to come up."""

LINGER = 2
"""Seconds that answers under way have to be sent once it is to end."""

STOP = 4.0
"""Seconds after which it is left to itself, so that it does not hold up the daemon's end."""


@contextmanager
def serving(
    settings: ApiSettings,
    env: Environment,
    environ: Mapping[str, str],
    vitals: Vitals,
    bus: Bus,
) -> Iterator[Listening]:
    """Serves until it is left, whoever is connected then; the value is where.

    What it tells of the daemon itself are its `vitals`.

    Raises SettingError if it cannot listen there.
    """
    with (
        closing(_listen(settings)) as listener,
        closing(Context(settings, env, environ, vitals)) as context,
        context.feed.fed(bus),
    ):
        config = uvicorn.Config(
            application(context),
            http=Visitor,
            ws="none",
            log_config=None,
            log_level="critical",  # what visitors do wrong is none of the daemon's log
            access_log=False,
            server_header=False,
            lifespan="off",
            backlog=BACKLOG,
            timeout_graceful_shutdown=LINGER,
            h11_max_incomplete_event_size=16 * 1024,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="web", daemon=True)
        thread.start()
        end = time.monotonic() + START
        while not server.started and thread.is_alive() and time.monotonic() < end:
            time.sleep(0.01)
        try:
            yield where(listener)
        finally:
            server.should_exit = True
            context.feed.end()
            context.broadcast.end()
            thread.join(STOP)


def where(listener: socket.socket) -> Listening:
    """How a browser gets there."""
    name, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name)  # noqa: S104
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return Listening(url, everywhere=host != name)


def _listen(settings: ApiSettings) -> socket.socket:
    allow_many()
    try:
        return listen(settings.host, settings.port)
    except OSError as error:
        raise SettingError(
            f"{LISTEN} names {settings.host} port {settings.port}, where proxysync cannot listen: "
            f"{error.strerror}",
            hint=f"Name a free port of this machine. {EXAMPLE}",
        ) from error
