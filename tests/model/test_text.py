"""Text of others can neither move a terminal's cursor nor give orders to a CI server."""

import json

from proxysync.model.text import clean, github_command, one_line, visible, without_commands

HOSTILE = "\x1b[31m\x9b31m\x7f\x00\r\u202e\u2066\u200b\udcff\U000e0041\t"


def test_control_and_invisible_characters_become_escapes() -> None:
    assert clean(HOSTILE) == (
        r"\x1b[31m\u009b31m\u007f\x00\r\u202e\u2066\u200b\udcff\udb40\udc41\t"
    )
    assert clean("grün\nrot 🙂") == "grün\nrot 🙂"
    assert one_line("a\nb") == r"a\nb"


def test_white_space_that_looks_like_a_blank_is_seen_in_a_value_that_is_wrong() -> None:
    assert visible("a\u00a0b c\nd") == r"a\u00a0b c\nd"
    assert visible(HOSTILE) == one_line(HOSTILE)


def test_cleaned_json_says_the_same() -> None:
    value = {"a": HOSTILE.replace("\udcff", "")}
    assert json.loads(clean(json.dumps(value, ensure_ascii=False))) == value


def test_no_line_gives_an_order() -> None:
    text = "::error::x\n  ::add-mask::y\na :: b ##[error]"
    shown = without_commands(text)
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
    assert "##[" not in shown
    assert "a :: b" in shown
    assert json.loads(without_commands(json.dumps("##[x]"))) == "##[x]"


def test_an_order_to_github_is_one_line_that_says_what_was_meant() -> None:
    where = {"file": "a:b,c%\n.yaml", "line": "3"}
    assert github_command("error", where, "50%\r\nof: a, b") == (
        "::error file=a%3Ab%2Cc%25%0A.yaml,line=3::50%25%0D%0Aof: a, b"
    )
    assert github_command("notice", {}, "") == "::notice::"
