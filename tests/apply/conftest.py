"""What all tests of applying share."""

import pytest

from proxysync.apply import under_way


@pytest.fixture(autouse=True, scope="session")
def no_write_is_under_way() -> None:
    """The sandbox ends a write at once, even if nobody waits for the answer any more."""
    under_way.LONGEST_WRITE = 0.0
