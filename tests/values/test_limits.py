"""How much one plan may delete: written alike in the file and on the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysync.values.limits import DeleteLimit
from proxysync.values.scalars import max_delete


@pytest.mark.parametrize("text", ["30%", "30.5%", "0%", "100%", "0.000001%", "100.0%"])
def test_a_share_means_the_same_in_the_file_and_on_the_command_line(text: str) -> None:
    assert DeleteLimit.parse(text) == max_delete(text) == DeleteLimit(share=float(text[:-1]) / 100)


@pytest.mark.parametrize("text", ["", "%", "101%", "1e2%", "-1", "5.5", "all", "²", "30 percent"])
def test_what_is_no_limit_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="neither a share nor a number"):
        DeleteLimit.parse(text)
    with pytest.raises(ValueError, match="must be a share such as 30%"):
        max_delete(text)


@given(
    st.integers(0, 10**9 - 1).map(str)
    | st.decimals(0, 100, places=6).map(lambda share: f"{share:f}%")
)
def test_a_limit_is_read_back_as_it_was_written(text: str) -> None:
    limit = DeleteLimit.parse(text)
    assert DeleteLimit.parse(str(limit)) == limit
