"""The socket that visitors come in by, which keeps them from using up what the daemon needs."""

import errno
import resource
import socket
from contextlib import suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl
from typing import Any

RESERVED = 1024
"""File descriptors below are the daemon's own: no visitor has one, and `select` knows no others."""

MOST_FILES = 8192
"""Open files that the process asks to be allowed, for that many visitors."""

BACKLOG = 1024
"""Visitors that wait for their turn at once."""

UNREAD = 60_000
"""Milliseconds after which the system ends a connection whose other side takes nothing."""


class Listener(socket.socket):
    """Gives each visitor a file descriptor that is out of the daemon's way."""

    def accept(self) -> tuple[socket.socket, Any]:
        """As of any socket. Raises ConnectionAbortedError where there are too many."""
        visitor, address = super().accept()
        try:
            moved = fcntl(visitor.fileno(), F_DUPFD_CLOEXEC, RESERVED)
        except OSError as error:
            if error.errno == errno.EINVAL:  # the process may not have that many
                return visitor, address
            visitor.close()
            raise ConnectionAbortedError(error.errno, error.strerror) from error
        visitor.close()
        return socket.socket(fileno=moved), address


def listen(host: str, port: int) -> socket.socket:
    """Raises OSError."""
    listener = Listener(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def allow_many() -> None:
    """Lets the process have as many files open as its visitors may need, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
