"""What systemd wants to hear of a `Type=notify` service; nothing happens without it."""

import os
import socket
import time
from collections.abc import Mapping


def notify(*lines: str) -> None:
    """Sends lines such as `READY=1` to systemd's socket (see sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto("\n".join(lines).encode(), address)
    except OSError:
        return  # a service manager that went away must not take the daemon with it


class Watchdog:
    """Tells systemd that the daemon goes on, whenever it comes by here.

    One that is stuck comes by no more, and is restarted (`WatchdogSec=` of its unit).
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        # Another process than the one that is watched has no say (see sd_watchdog_enabled(3)).
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environ.get("WATCHDOG_USEC", "") if mine else ""
        self._every = int(microseconds) / 4e6 if microseconds.isdecimal() else None
        self._next = 0.0

    def __call__(self) -> None:
        if self._every is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            notify("WATCHDOG=1")


def ready(status: str) -> None:
    notify("READY=1", f"STATUS={status}")


def reloading() -> None:
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    notify("STOPPING=1")
