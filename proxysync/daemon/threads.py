"""No thread dies unnoticed: what one of them did not foresee is told like any other error."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def told_to(failed: Callable[[Exception], object]) -> Iterator[None]:
    """In here `failed` hears of whatever ends a thread, in place of a traceback on stderr."""
    before = threading.excepthook

    def tell(what: threading.ExceptHookArgs) -> None:
        if isinstance(what.exc_value, Exception):
            failed(what.exc_value)

    threading.excepthook = tell
    try:
        yield
    finally:
        threading.excepthook = before
