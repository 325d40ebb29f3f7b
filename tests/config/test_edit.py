"""Edits of a text of which all else stays as it is."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysync.config.edit import EditError, add, change, remove, unset

FILE = """\
# our proxies
proxies:
  media:   # the big one
    domains: [media.example.com]  # for all
    upstream: "http://10.0.0.5:8096"
    health:
      path: /health   # cheap

  # wiki is old
  wiki: {domains: [wiki.example.com], upstream: http://10.0.0.6, websockets: true}  # soon gone
settings:
  prune: false
"""
NEW = {"domains": ["new.example.com"], "upstream": "http://10.0.0.7"}


def test_an_entry_is_added_after_those_that_are_there() -> None:
    assert add(FILE, "proxies", "new", NEW) == FILE.replace(
        "# soon gone\n",
        "# soon gone\n\n  new:\n    domains: [new.example.com]\n    upstream: http://10.0.0.7\n",
    )
    assert add(FILE, "streams", "s", {"listen": 9}) == FILE + "\nstreams:\n  s:\n    listen: 9\n"
    for empty in ("proxies: {}  # none yet\n", "proxies:  # none yet\n", "proxies:   # none yet\n"):
        written = add(empty + "x-a: 1\n", "proxies", "n", {"upstream": "http://x"})
        assert written.endswith("# none yet\n  n:\n    upstream: http://x\nx-a: 1\n")
    flow = add("proxies: {a: {upstream: x}}\n", "proxies", "b", {"domains": ["c,d", "e"]})
    assert flow == 'proxies: {a: {upstream: x}, b: {domains: ["c,d", e]}}\n'


def test_a_value_is_changed_where_it_stands() -> None:
    def media(*keys: str, to: Any) -> str:
        return change(FILE, "proxies", "media", keys, to)

    assert media("domains", to=["a.x", "b.x"]) == FILE.replace("[media.example.com]", "[a.x, b.x]")
    assert media("upstream", to="http://y") == FILE.replace('"http://10.0.0.5:8096"', "http://y")
    assert media("health", "path", to="/ok") == FILE.replace("/health ", "/ok ")
    assert media("health", "interval", to="1m") == FILE.replace(
        "# cheap\n", "# cheap\n      interval: 1m\n"
    )
    assert media("websockets", to=True) == FILE.replace(
        "# cheap\n", "# cheap\n    websockets: true\n"
    )
    wiki = change(FILE, "proxies", "wiki", ["websockets"], False)
    assert wiki == FILE.replace("websockets: true", "websockets: false")
    wiki = change(FILE, "proxies", "wiki", ["health", "path"], "/a")
    assert wiki == FILE.replace("true}", "true, health: {path: /a}}")
    config = media("advanced_config", to="a;\nb;\n")
    assert config == FILE.replace(
        "# cheap\n", "# cheap\n    advanced_config: |\n      a;\n      b;\n"
    )


def test_a_value_and_an_entry_are_taken_out() -> None:
    assert unset(FILE, "proxies", "media", ["health"]) == FILE.replace(
        "    health:\n      path: /health   # cheap\n", ""
    )
    assert unset(FILE, "proxies", "wiki", ["websockets"]) == FILE.replace(", websockets: true", "")
    assert unset(FILE, "proxies", "wiki", ["domains"]) == FILE.replace(
        "domains: [wiki.example.com], ", ""
    )
    assert unset(FILE, "proxies", "wiki", ["access_list"]) == FILE
    without = remove(FILE, "proxies", "wiki")
    start, end = FILE.index("  # wiki is old"), FILE.index("settings:")
    assert without == FILE[:start] + FILE[end:]
    alone = "proxies:\n  a:\n    upstream: x\n# end\n"
    assert remove(alone, "proxies", "a") == "proxies: {}\n# end\n"


@pytest.mark.parametrize(
    "text",
    [
        "x-a: &a {upstream: x}\nproxies:\n  media: *a\n",
        "x-a: &a\n  media: {upstream: x}\nproxies: *a\n",
        "x-a: &a\n  media: {upstream: x}\nproxies:\n  <<: *a\n",
    ],
)
def test_what_stands_elsewhere_is_left_to_a_person(text: str) -> None:
    with pytest.raises(EditError):
        change(text, "proxies", "media", ["upstream"], "y")


NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from(
    [True, 5, "x y", "# no comment", "a: b", ["p", "q,r"], {"k": "v"}, "l\nm\n"]
)
EDITS = st.lists(
    st.tuples(st.sampled_from(["add", "set", "unset", "remove"]), NAMES, NAMES, VALUES)
)


@given(
    EDITS, st.sampled_from(["proxies: {}\n", "# c\nproxies:\nx-end: [1]  # d\n", "x-end: [1]\n"])
)
@settings(deadline=None, max_examples=150)
def test_any_edits_leave_what_they_mean_and_all_comments(
    edits: list[tuple[str, str, str, Any]], text: str
) -> None:
    meant: dict[str, dict[str, Any]] = {}
    comments = [rest.splitlines()[0] for rest in text.split("#")[1:]]
    for what, name, key, value in edits:
        if what == "add" and name not in meant:
            text, meant[name] = add(text, "proxies", name, {"u": 1}), {"u": 1}
        elif what == "set" and name in meant:
            text = change(text, "proxies", name, [key], value)
            meant[name][key] = value
        elif what == "unset" and name in meant:
            text = unset(text, "proxies", name, [key])
            meant[name].pop(key, None)
        elif what == "remove" and name in meant:
            text = remove(text, "proxies", name)
            del meant[name]
    read = yaml.safe_load(text)
    assert (read.get("proxies") or {}) == meant
    assert all(comment.strip() in text for comment in comments)


def test_what_only_the_loader_can_read_is_left_to_a_person() -> None:
    """libyaml takes a tab before a comment for a blank; PyYAML's own scanner does not."""
    with pytest.raises(EditError, match="line 2: found character"):
        add("proxies:\n  a:\t# tab\n    upstream: x\n", "proxies", "new", NEW)
