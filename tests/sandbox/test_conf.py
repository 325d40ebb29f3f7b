"""The parser of nginx's configuration, whatever it is given."""

from hypothesis import given
from hypothesis import strategies as st

from proxysync.sandbox.conf import ConfError, parse


@given(st.text(alphabet="ab{};\"'\\$# \n", max_size=60))
def test_any_text_is_either_read_or_refused_with_a_line(text: str) -> None:
    refused: ConfError | None = None
    try:
        parse(text)
    except ConfError as error:
        refused = error
    if refused:
        assert refused.line in range(1, text.count("\n") + 2)
