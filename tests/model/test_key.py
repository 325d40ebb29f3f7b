"""What identifies an entry, and its texts."""

from hypothesis import given
from hypothesis import strategies as st

from proxysync.model import Key, label_among


@given(st.sampled_from(["proxy", "not_found_host"]), st.text())
def test_a_qualified_name_is_read_back_whatever_the_name(kind: str, name: str) -> None:
    assert Key.parse(Key(kind, name).qualified) == Key(kind, name)


def test_messages_show_the_name_alone() -> None:
    assert f"{Key('stream', 'minecraft')} is blocked" == "minecraft is blocked"


def test_keys_sort_by_kind_and_then_by_name() -> None:
    assert sorted([Key("stream", "a"), Key("proxy", "b"), Key("proxy", "a")]) == [
        Key("proxy", "a"),
        Key("proxy", "b"),
        Key("stream", "a"),
    ]


def test_a_name_that_two_kinds_have_is_told_with_its_kind() -> None:
    keys = [Key("proxy", "a"), Key("stream", "a"), Key("proxy", "b"), Key("proxy", "b")]
    assert [label_among(keys)(key) for key in keys] == ["proxy/a", "stream/a", "b", "b"]
