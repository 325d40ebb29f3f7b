"""The daemon's log: each event, for people on a terminal and as JSON elsewhere."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxysync.store.events import Event


def event_logger() -> "Callable[[Event], None]":
    """A listener that writes events to stderr."""
    import structlog

    from proxysync.cli.terminal import colours

    processors: list[Any] = [structlog.processors.add_log_level]
    if sys.stderr.isatty():
        processors += [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=colours(sys.stderr), pad_event_to=60),
        ]
    else:
        processors += [
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    structlog.configure(
        processors=processors,
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger()

    def write(event: "Event") -> None:
        level = {"info": log.info, "warn": log.warning, "error": log.error}[event.severity]
        fields: dict[str, Any] = {"source": event.source, "code": event.event, "id": event.id}
        if event.proxy:
            fields["proxy"] = event.proxy
        if event.data.get("hint"):
            fields["hint"] = event.data["hint"]
        level(event.message, **fields)

    return write
