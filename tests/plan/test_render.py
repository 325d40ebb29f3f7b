"""The plan as JSON, text and Markdown."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysync.model import Snapshot
from proxysync.plan.model import Change, FieldChange, Hold, HoldKind, Note, Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Failure, Policy
from proxysync.plan.render import to_json, to_markdown, to_text
from proxysync.values.limits import DeleteLimit
from tests.keys import key

from .world import fields, live, npm, only, row, want

OLD_CONFIG = "proxy_buffering off;\nclient_max_body_size 1m;\n"
NEW_CONFIG = "proxy_buffering off;\nclient_max_body_size 9m;\n"


def story() -> Plan:
    """One change of every sort."""
    snapshot = Snapshot(
        (
            live(1, "same"),
            live(2, "wiki", advanced_config=OLD_CONFIG),
            live(3, "gone"),
            live(4, None, "taken.example.com"),
            live(5, None, "ours.example.com"),
            live(6, "down", forward_port=1),
            *(live(n, f"more{n}") for n in range(10, 13)),
        )
    )
    entries = [
        want("media", websockets=True),
        want("wiki", advanced_config=NEW_CONFIG, access_list_id=3),
        want("same"),
        want("taken"),
        want("ours"),
        want("down"),
        *(want(f"more{n}") for n in range(10, 13)),
    ]
    policy = Policy(adopting=frozenset({key("ours")}))
    rows = [row("wiki", 2, advanced_config=OLD_CONFIG), row("gone", 3), row("down", 6)]
    return make_plan(entries, snapshot, rows, policy, blocked={key("down"): "port 8096 is closed"})


def text(plan: Plan, **others: Any) -> str:
    return to_text(plan, colour=False, mask=others.pop("mask", {}), **others)


def update(old: Any, new: Any, field: str = "advanced_config", reason: str = "x") -> Plan:
    target = fields("media.example.com", **({field: new} if new is not None else {}))
    change = Change(
        "update", key("media"), 3, False, {field: FieldChange(old, new)}, reason,
        target, target, live(3, "media"),
    )  # fmt: skip
    return Plan((change,), ())


def test_json_has_the_shape_that_scripts_rely_on() -> None:
    plan = make_plan([want("media")], npm(), (), Policy())
    shown = to_json(plan)
    assert list(shown) == ["summary", "changes", "refused"]
    assert list(shown["summary"].items()) == [
        ("create", 1), ("update", 0), ("delete", 0), ("adopt", 0),
        ("unchanged", 0), ("conflict", 0), ("blocked", 0), ("drift", 0), ("held", 0),
    ]  # fmt: skip
    (change,) = shown["changes"]
    assert list(change) == [
        "action", "kind", "name", "npm_id", "drift", "fields", "edits", "reason"
    ]  # fmt: skip
    assert {"path": "upstream", "from": None, "to": "http://10.0.0.5:8096"} in change["edits"]
    assert change["fields"]["forward_port"] == {"from": None, "to": 8096}
    assert (change["npm_id"], change["drift"], shown["refused"]) == (None, False, None)
    assert json.loads(json.dumps(shown)) == shown


def test_json_counts_and_marks_what_is_held() -> None:
    shown = to_json(story())
    assert shown["summary"] == {
        "create": 1, "update": 1, "delete": 1, "adopt": 1,
        "unchanged": 4, "conflict": 1, "blocked": 1, "drift": 1, "held": 0,
    }  # fmt: skip
    held = {c["name"]: c["held"] for c in shown["changes"] if "held" in c}
    assert held == {"down": {"kind": "blocked", "reason": "port 8096 is closed"}}


def test_text_tells_the_whole_story() -> None:
    shown = text(story(), named={("access_list", 3): "lan-only"})
    assert "+ media (media.example.com): not in NPM\n" in shown
    assert "    upstream: http://10.0.0.5:8096\n" in shown
    assert "hsts" not in shown
    assert "~ wiki #2 (wiki.example.com): changed in the file\n" in shown
    assert "    access_list: none → lan-only\n" in shown
    assert "      - client_max_body_size 1m;\n      + client_max_body_size 9m;\n" in shown
    assert "        proxy_buffering off;\n" in shown
    assert "- gone #3 (gone.example.com): removed from the file\n" in shown
    assert "> ours #5 (ours.example.com): take over proxy host #5, which" in shown
    assert "! taken (taken.example.com): taken.example.com is held by proxy host #4" in shown
    assert "    blocked: port 8096 is closed\n" in shown
    assert shown.endswith(
        "\nPlan: 1 to create, 1 to update, 1 to delete, 1 to adopt; "
        "4 unchanged, 1 conflict, 1 blocked."
    )


def test_what_is_held_is_counted_in_every_style() -> None:
    host = live(3, "media", forward_port=1)
    plan = make_plan([want("media")], npm(host), [row("media", 3)], Policy(drift="report"))
    assert to_json(plan)["summary"]["held"] == 1
    assert "1 drift." in text(plan)
    assert "| 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 |" in to_markdown(plan)


def test_a_note_is_shown_in_every_style_beside_changes_and_alone() -> None:
    entry = replace(
        want("media", enabled=False, access_list_id=-1), unknown={"access_list_id": "no <list> x"}
    )
    host = live(3, "media", enabled=False, access_list_id=7)
    for entries in ([entry], [entry, want("wiki")]):
        plan = make_plan(entries, npm(host), (), Policy())
        message = "no <list> x. It is off, so access_list_id stays as NPM has it"
        assert to_json(plan)["warnings"] == [{"kind": "proxy", "name": "media", "message": message}]
        assert f"\nWarning: media: {message}" in text(plan)
        assert "no &lt;list&gt; x. It is off" in to_markdown(plan)
        assert "[masked]" in text(plan, mask={"<list>": "[masked]"})


def test_text_of_a_plan_without_changes_says_so() -> None:
    plan = make_plan([want("media")], npm(live(3, "media")), (), Policy())
    assert text(plan) == "Nothing to do: NPM is in sync with the file."
    assert "Nothing to do: NPM is in sync with the file." in to_markdown(plan)


def test_a_refusal_stands_first() -> None:
    rows = [row("a", 1), row("b", 2)]
    plan = make_plan([want("new", "n.x")], npm(live(1, "a"), live(2, "b")), rows, Policy())
    assert text(plan).startswith("Refused, nothing will be changed: this plan would delete 2")
    heading, refused, *_ = to_markdown(plan).split("\n\n")
    assert heading == "<!-- proxysync plan -->\n## proxysync plan"
    assert refused.startswith("<p><strong>Refused, nothing will be changed:</strong>")
    assert "--max-delete 100%" in to_json(plan)["refused"]
    assert text(plan).endswith("Refused, as said above: nothing will be changed.")


def test_a_switch_that_a_new_host_has_off_is_shown_when_that_is_unusual() -> None:
    assert "enabled: false" in text(make_plan([want("m", enabled=False)], npm(), (), Policy()))
    assert "enabled" not in text(make_plan([want("m")], npm(), (), Policy()))


def test_locations_are_told_by_their_path() -> None:
    def location(path: str, port: int) -> dict[str, Any]:
        return {"path": path, "forward_host": "10.0.0.6", "forward_port": port}

    entry = want("media", locations=[location("/api1", 1), location("/api2", 3)])
    there = live(3, "media", locations=[location("/api1", 1), location("/api2", 2)])
    shown = text(make_plan([entry], npm(there), (row("media", 3),), Policy()))
    assert '    locations["/api2"].upstream: http://10.0.0.6:2 → http://10.0.0.6:3\n' in shown


def test_many_domains_are_counted() -> None:
    plan = make_plan([want("m", "a.x", "b.x", "c.x", "d.x", "e.x")], npm(), (), Policy())
    assert "+ m (a.x, b.x, c.x and 2 more): not in NPM" in text(plan)


def test_holds_are_counted_in_the_words_of_status() -> None:
    plan = make_plan([want("a")], npm(live(1, "a"), live(2, "b")), (), Policy(prune=False))
    assert text(plan).endswith("0 to delete; 1 unchanged, 1 orphan.")


def test_what_failed_says_that_it_waits_for_an_edit() -> None:
    failure = Failure(key("a"), want("a").fields, None, "nginx refuses it: [emerg] no")
    plan = make_plan([want("a")], npm(), (), Policy(), failures=[failure])
    for shown in (text(plan), to_markdown(plan)):
        assert "nginx refuses it: [emerg] no; it is tried again when the entry is edited" in shown


def test_colour_is_only_where_it_is_asked_for() -> None:
    plain, coloured = text(story()), to_text(story(), colour=True)
    assert "\x1b" not in plain
    assert "\x1b[32m+ media" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


@pytest.mark.parametrize("evil", ["\x1b[2Jx", "a\rb", "\x9b31m", "\u202egnp", "a\u2028b", "\ud800"])
def test_characters_that_could_fool_a_terminal_are_escaped(evil: str) -> None:
    plans = [update("a", evil), update("a", f"b\n{evil}"), update("a", "b", reason=evil)]
    for plan in [*plans, Plan((), (), refused=evil)]:
        for shown in (text(plan), to_markdown(plan)):
            assert not set(shown) & set("\x1b\r\x9b\u202e\u2028\ud800")
            assert "\\" in shown


SECRETS = {"s3cret": "${TOKEN}", "s3cret-longer": "${OTHER}", "abc": "${SHORT}"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("set $t s3cret;", "set $t ${TOKEN};"),
        ("a s3cret-longer b", "a ${OTHER} b"),
        ("line\nset s3cret;", "set ${TOKEN};"),
        ("abc", "abc"),
    ],
)
def test_secrets_are_masked_everywhere(value: str, shown: str) -> None:
    plan = update("before", value, reason=f"nginx does not serve it: {value}")
    for drawn in (
        json.dumps(to_json(plan, SECRETS)), text(plan, mask=SECRETS), to_markdown(plan, SECRETS)
    ):  # fmt: skip
        assert "s3cret" not in drawn
        assert shown in drawn


def test_secrets_are_masked_in_locations_holds_and_refusals() -> None:
    location = {"path": "/", "advanced_config": "s3cret"}
    change = only(update([], [location], "locations"))
    held = Change(**{**vars(change), "hold": Hold(HoldKind.FAILED, "s3cret")})
    plan = Plan((held,), (), refused="s3cret")
    drawn = {
        json.dumps(to_json(plan, SECRETS)): 4,  # in the words of NPM and in those of the file
        text(plan, mask=SECRETS): 3,
        to_markdown(plan, SECRETS): 3,
    }
    for shown, times in drawn.items():
        assert "s3cret" not in shown
        assert shown.count("${TOKEN}") == times


def test_markdown_has_a_table_and_a_diff_for_each_change() -> None:
    shown = to_markdown(story(), named={("access_list", 3): "lan-only"})
    assert "| create | update | delete | adopt | unchanged | conflict | blocked | drift |" in shown
    assert "| 1 | 1 | 1 | 1 | 4 | 1 | 1 | 1 |" in shown
    assert shown.count("<details>") == shown.count("</details>") == 6
    assert "```diff\n" in shown
    assert "\n- access_list: none\n+ access_list: lan-only\n" in shown
    assert "\n- client_max_body_size 1m;\n+ client_max_body_size 9m;\n" in shown
    assert "<p>Blocked: <code>port 8096 is closed</code></p>" in shown


GITHUB_TAKES = 65_536


def test_a_comment_with_too_much_in_it_counts_what_it_leaves_out() -> None:
    plan = make_plan([want(f"m{n}", locations=[]) for n in range(900)], npm(), (), Policy())
    shown = to_markdown(plan)
    assert len(shown) < GITHUB_TAKES
    there = shown.count("<details>")
    assert 100 < there < 900
    assert f"**More changes (create {900 - there}): not shown, for a comment has no room" in shown
    assert "\n\nPlan: 900 to create" in shown
    outside_fences(shown)


def test_a_diff_that_is_too_long_is_left_out_and_other_changes_are_not() -> None:
    long = only(update("", "x;\n" * 30_000))
    small = Change(**{**vars(only(update("a", "b"))), "key": key("wiki")})
    shown = to_markdown(Plan((long, small), ()))
    assert len(shown) < GITHUB_TAKES
    assert "<p>Its diff has 30002 lines: not shown" in shown
    assert "- advanced_config: a\n+ advanced_config: b\n" in shown


def test_warnings_that_are_too_many_are_counted() -> None:
    notes = tuple(Note(key(f"m{n}"), "x" * 100) for n in range(900))
    shown = to_markdown(Plan((), (), notes=notes))
    assert len(shown) < GITHUB_TAKES
    assert f"**More warnings ({900 - shown.count('<p>Warning')}): not shown" in shown


def outside_fences(markdown: str) -> list[str]:
    """What a reader of Markdown sees as Markdown or HTML; fails on a fence left open."""
    fence, rest = "", []
    for line in markdown.split("\n"):
        opened = re.match(r"`{3,}", line)
        if not fence and opened:
            fence = opened[0]
        elif fence and re.fullmatch(f"{fence}`* *", line.strip()):
            fence = ""
        elif not fence:
            rest.append(line)
    assert not fence
    return rest


HOSTILE = st.text(alphabet="`~|<>&\"'\n\r #-+*_[]()@!\\abc\x1b\u2028", max_size=40)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_value_breaks_out_of_the_markdown(old: str, new: str, reason: str) -> None:
    quiet = outside_fences(to_markdown(update("a", "b", reason="quiet")))
    plan = update(f"{old}</details>", f"{new}\n```\n<script>|", reason=f"{reason}<script>")
    loud = outside_fences(to_markdown(plan))
    assert len(loud) == len(quiet)
    changed = [line for line, other in zip(loud, quiet, strict=True) if line != other]
    assert len(changed) == 1
    assert re.fullmatch(r"<p><code>[^<>\"']*</code></p>", changed[0])


def test_a_fence_in_a_value_does_not_end_the_diff() -> None:
    markdown = to_markdown(update("a\n```\nb<i>", "a\n```\nc<i>"))
    assert not [line for line in outside_fences(markdown) if "<i>" in line]


def test_what_may_hold_an_unknown_secret_is_not_shown_without_the_state() -> None:
    there = live(3, "media", advanced_config="set $t a-secret-of-before;", locations=[])
    entry = want("media", advanced_config="set $t now;")
    for shown in all_forms(make_plan([entry], npm(there), (), Policy())):
        assert "a-secret-of-before" not in shown
        assert "without the state" in shown
    for shown in all_forms(make_plan([], npm(there), (), Policy())):
        assert "a-secret-of-before" not in shown
    assert "of-before" in text(make_plan([entry], npm(there), (row("media", 3),), Policy()))


def test_conflicts_that_adopting_ends_show_the_difference_and_one_command() -> None:
    hosts = [
        live(n, None, f"{name}.example.com", forward_port=n) for n, name in ((4, "a"), (5, "b"))
    ]
    plan = make_plan([want("a"), want("b")], npm(*hosts), (), Policy())
    shown = text(plan)
    assert "! a (a.example.com): a.example.com is held by proxy host #4" in shown
    assert "    upstream: http://10.0.0.5:4 → http://10.0.0.5:8096\n" in shown
    assert shown.count("proxysync adopt") == 1
    assert "`proxysync adopt a b` asks first.\nPlan: " in shown
    markdown = to_markdown(plan)
    assert "- upstream: http://10.0.0.5:4\n+ upstream: http://10.0.0.5:8096\n" in markdown
    assert markdown.count("`proxysync adopt a b`") == 1
    told = to_json(plan)
    assert told["adopt"] == "proxysync adopt a b"
    assert told["changes"][0]["takes"] == {"npm_id": 4}
    assert told["changes"][0]["fields"] == {"forward_port": {"from": 4, "to": 8096}}


def test_what_a_foreign_host_has_is_shown_to_those_who_adopt_it() -> None:
    foreign = live(4, None, "media.example.com", advanced_config="a text of its owner's")
    plan = make_plan([want("media")], npm(foreign), (), Policy(adopting=frozenset({key("media")})))
    assert "its owner's" in text(plan)


def all_forms(plan: Plan) -> list[str]:
    return [text(plan), to_markdown(plan), json.dumps(to_json(plan))]


def test_a_change_is_told_in_the_words_of_the_file() -> None:
    old = {"path": "/old", "forward_host": "10.0.0.6", "forward_port": 1}
    there = live(
        3, "media", "a.example.com", "b.example.com", locations=[old], caching_enabled=True
    )
    new = {**old, "path": "/new"}
    wanted = want("media", "b.example.com", "c.example.com", locations=[new])
    plan = make_plan([wanted], npm(there), (row("media", 3, "b.example.com"),), Policy())
    assert {e["path"]: (e["from"], e["to"]) for e in to_json(plan)["changes"][0]["edits"]} == {
        "domains": (["a.example.com", "b.example.com"], ["b.example.com", "c.example.com"]),
        "cache_assets": (True, False),
        'locations["/old"]': ({"upstream": "http://10.0.0.6:1"}, None),
        'locations["/new"]': (None, {"upstream": "http://10.0.0.6:1"}),
    }
    shown = text(plan)
    assert "    domains: - a.example.com, + c.example.com\n" in shown
    assert "    cache_assets: true → false\n" in shown
    assert '    locations["/new"]: none → {upstream: http://10.0.0.6:1}\n' in shown


def test_what_cannot_be_made_comes_first_and_what_goes_last_in_one_line() -> None:
    plan = make_plan(
        [want("new", "new.x"), want("taken", "taken.x")],
        npm(live(1, "gone", "gone.x"), live(2, None, "taken.x")),
        [row("gone", 1, "gone.x")],
        Policy(max_delete_override=DeleteLimit(share=1.0)),
    )
    heads = [line[0] for line in text(plan).splitlines() if line and line[0] in "!+-~>"]
    assert heads == ["!", "+", "-"]
    assert "- gone #1 (gone.x): removed from the file\n\n" in text(plan)
    assert text(plan).count("\n\n") == 1


def test_a_refused_plan_without_changes_has_one_blank_line() -> None:
    shown = text(make_plan([], npm(), [], Policy())).splitlines()
    assert [bool(line) for line in shown] == [True, False, True]
