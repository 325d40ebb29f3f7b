"""What all tests of applying share."""

import pytest

from proxysync.apply import settle


@pytest.fixture(autouse=True, scope="session")
def no_write_is_under_way() -> None:
    """The sandbox ends a write at once, even if nobody waits for the answer any more."""
    settle.LONGEST_WRITE = 0.0
