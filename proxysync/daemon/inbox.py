"""Where others ask the daemon's main loop for work."""

from enum import Enum, auto
from queue import SimpleQueue


class Trigger(Enum):
    """Why the loop wakes up."""

    FILE = auto()
    RELOAD = auto()
    RESYNC = auto()
    STOP = auto()


Inbox = SimpleQueue[Trigger]
"""Its `put` may be called from a signal handler, which that of an Event may not."""
