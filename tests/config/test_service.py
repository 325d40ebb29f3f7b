"""`/etc/proxysync/environment` is read as systemd reads it."""

import pytest

from proxysync.config.service import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("X=1", "1"),
        ("X = 1 ", "1"),
        ("\n  X=a b  \n", "a b"),
        ("X=", ""),
        ("X=a # no comment", "a # no comment"),
        ("X='a b '", "a b "),
        ('X="a # b"', "a # b"),
        ("X='it''s'", "its"),
        ("""X="a" 'b' c""", "abc"),
        ("X='$HOME ${Y} `z`'", "$HOME ${Y} `z`"),
        ("X=$HOME", "$HOME"),
        (r'X="\$a \"b\" \\ \n"', r'$a "b" \ \n'),
        (r"X=a\ b\\c", r"a b\c"),
        ("X=one\\\ntwo", "onetwo"),
        ('X="one\ntwo"', "one\ntwo"),
        ('X="one\\\ntwo"', "onetwo"),
        ("X='one\ntwo'", "one\ntwo"),
        ('X=a"b"', 'a"b"'),
        ("X=1\r\nY=2", "1"),
        ("X=1\nX=2", "2"),
        ("X=a\\ \nY=2", "a "),
        ("X=\\\n  b", "  b"),
        ("X='open\nY=1", "open\nY=1"),
        ("# a comment \\\nX=1\nX=2", "2"),
        ('X="a"b"c"', 'ab"c"'),
    ],
)
def test_a_value(text: str, value: str) -> None:
    assert parse(text)["X"] == value


def test_comments_and_what_is_no_assignment_are_left_out() -> None:
    text = "# A=1\n;B=2\n  # C=3\nnothing\nexport D=4\n2E=5\n=6\nF=7"
    assert parse(text) == {"F": "7"}
