"""To be somebody who may not do all, even where the tests run as root."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

VERSION = 0x20080522
"""That of the kernel's structures for capabilities, which have 64 bits."""

PASS_ALL_MODES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""

GET_SECUREBITS, SET_SECUREBITS, NO_SETUID_FIXUP = 27, 28, 1 << 2
"""Without the last, access(2) lets root do what it could take the right to do."""


@contextmanager
def bound_by_modes() -> Iterator[None]:
    """In it, the mode of a file holds for this thread, and for those that it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, found = (ctypes.c_uint32 * 2)(VERSION, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, found) == 0
    less = (ctypes.c_uint32 * 6)(found[0] & ~PASS_ALL_MODES, *found[1:])
    bits = libc.prctl(GET_SECUREBITS)
    libc.prctl(SET_SECUREBITS, bits | NO_SETUID_FIXUP)
    assert libc.capset(header, less) == 0
    try:
        yield
    finally:
        assert libc.capset(header, found) == 0
        libc.prctl(SET_SECUREBITS, bits)
