"""What the proxysyncs of one machine know of each other, whichever user and state folder they have.

The lock of an NPM is a listening Unix socket with an abstract name. The kernel gives it up
when its process dies, however that dies; there is no file that a private /tmp, a dynamic user
or permissions would hide, that a link could redirect, or that somebody could leave behind.
What it reaches is the network namespace, so that a container sees only its own processes.
Any user of the machine could hold such a name. So nobody waits for it without an end, and who
holds it is told as the kernel vouches for it. A system without abstract names gets a locked
file instead, and no announcements.
"""

import fcntl
import hashlib
import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from proxysync.model.errors import ProxysyncError
from proxysync.values.upstreams import port_of

ABSTRACT = sys.platform == "linux"
SOCKETS = Path("/proc/net/unix")
FOLDER = Path("/tmp")  # noqa: S108 - TMPDIR may be another for each user
PREFIX = "proxysync"
LONGEST_ANSWER = 8192
ANSWER_TIMEOUT = 1.0
"""Bytes and seconds; whoever answers may be anybody."""


@dataclass(frozen=True)
class Daemon:
    """A daemon that works on an NPM, by what it says of itself; the kernel vouches for `pid`."""

    pid: int
    state: Path

    def has_state(self, folder: Path) -> bool:
        """Whether this is its state folder, as far as this user may look."""
        try:
            return self.state.samefile(folder)
        except OSError:
            return self.state == folder.absolute()


def npm_keys(url: str) -> tuple[str, ...]:
    """Keys for the host and each address of this NPM, sorted: all spellings have one in common.

    The machine's own addresses count as one.
    """
    host, port = (urlsplit(url).hostname or "").lower(), port_of(url)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = {"local" if _is_local(info) else str(info[4][0]) for info in found}
    except (OSError, UnicodeError):
        addresses = set()  # the name alone has to do while it does not resolve
    digests = (hashlib.sha256(f"{a} {port}".encode()).hexdigest() for a in {host, *addresses})
    return tuple(sorted(digest[:32] for digest in digests))


def try_lock(key: str) -> ExitStack | None:
    """The right to write to this NPM until it is closed; None while another process has it."""
    held = ExitStack()
    if not ABSTRACT:
        return held if _lock_file(held, key) else None
    listener = _listen(f"{PREFIX}/write/{key}")
    if listener is None:
        return None
    held.callback(listener.close)
    return held


def lock_holder(key: str) -> str:
    """Who has the right to write, for a sentence: ` (pid 17)`, or nothing if nobody knows."""
    if not ABSTRACT:
        return ""
    with suppress(OSError), _connect(f"{PREFIX}/write/{key}") as link:
        pid = _pid(link)
        return f" (pid {pid})" if pid else ""
    return ""


@contextmanager
def announced(url: str, state: Path) -> Iterator[None]:
    """Tells whoever asks, while it lasts, that a daemon keeps this NPM with this state folder."""
    answer = json.dumps({"state": str(state.absolute())}).encode()
    with ExitStack() as held:
        for key in npm_keys(url) if ABSTRACT else ():
            listener = _listen(f"{PREFIX}/daemon/{key}/{os.getpid()}")
            if listener is not None:
                held.callback(listener.close)
                over = threading.Event()
                # Ends the wait of the thread, which closing alone would not.
                held.callback(_shut_down, listener)
                held.callback(over.set)
                threading.Thread(
                    target=_answer, args=(listener, answer, over), name="announcement", daemon=True
                ).start()
        yield


def daemons(url: str) -> list[Daemon]:
    """The daemons that work on this NPM here; no name is looked up if there is none at all."""
    try:
        lines = SOCKETS.read_text(errors="replace").splitlines()
    except OSError:
        return []
    start = f"@{PREFIX}/daemon/"
    names = {path for line in lines if (path := line.rpartition(" ")[2]).startswith(start)}
    keys = npm_keys(url) if names else ()
    chosen = sorted(name[1:] for name in names if name.removeprefix(start).split("/")[0] in keys)
    return list(dict.fromkeys(daemon for name in chosen if (daemon := _ask(name))))


def _is_local(info: tuple[object, ...]) -> bool:
    """Whether an address is this machine's own: only such a one can be bound."""
    family, address = info[0], info[4]
    assert isinstance(family, int)
    assert isinstance(address, tuple)
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address[0], 0, *address[2:]))
    except OSError:
        return False
    return True


def _listen(name: str) -> socket.socket | None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(f"\0{name}")
        listener.listen(16)
    except OSError:
        listener.close()
        return None
    return listener


def _connect(name: str) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(ANSWER_TIMEOUT)
    try:
        link.connect(f"\0{name}")
    except OSError:
        link.close()
        raise
    return link


def _pid(link: socket.socket) -> int:
    """The process that listens at the other end; 0 if it is in another container."""
    layout = struct.Struct("3i")
    credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
    return int(layout.unpack(credentials)[0])


def _ask(name: str) -> Daemon | None:
    text = b""
    end = time.monotonic() + ANSWER_TIMEOUT
    try:
        with _connect(name) as link:
            while (more := link.recv(LONGEST_ANSWER)) and len(text) < LONGEST_ANSWER:
                text += more
                if time.monotonic() > end:
                    return None
            return Daemon(_pid(link), Path(json.loads(text)["state"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _answer(listener: socket.socket, text: bytes, over: threading.Event) -> None:
    while not over.is_set():
        try:
            link, _ = listener.accept()
            with link:
                link.settimeout(ANSWER_TIMEOUT)
                link.sendall(text)
        except OSError:
            over.wait(ANSWER_TIMEOUT)  # out of descriptors, say


def _shut_down(listener: socket.socket) -> None:
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def _lock_file(held: ExitStack, key: str) -> bool:
    # The same folder for every user, who may all lock the file, and nobody a link's target.
    flags = os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    path = FOLDER / f"{PREFIX}-{key}.lock"
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        raise ProxysyncError(
            f"the lock {path} cannot be opened: {error.strerror}",
            hint="It must be a file that anybody may read; remove what is there instead.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    held.callback(os.close, descriptor)
    return True
