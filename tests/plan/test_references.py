"""What is referred to comes first and goes last, and what it lacks stops no other."""

from dataclasses import replace

import pytest

from proxysync.kinds import KINDS
from proxysync.model import Applied, Desired, Fields, Key, Live, Reference, Snapshot
from proxysync.plan.model import PASSWORDS, Change, HoldKind, Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Policy
from proxysync.plan.render.edits import edits_of
from proxysync.plan.secrets import differing, digests
from proxysync.values.limits import DeleteLimit

LIST = KINDS["access_list"]
LAN = Key("access_list", "lan")
POLICY = Policy(max_delete_override=DeleteLimit(share=1.0), recreate=True, secret_key=b"key")


def rules(*addresses: str, name: str = "lan", users: tuple[str, ...] = ()) -> Fields:
    clients = [{"directive": "allow", "address": address} for address in addresses]
    items = [{"username": user} for user in users]
    return LIST.normalise({"name": name, "clients": clients, "items": items})


def live_list(npm_id: int, fields: Fields, **hints: str) -> Live:
    return Live("access_list", npm_id, fields, created_on=f"day {npm_id}", hints=hints)


def host(name: str, access_list: int | Reference) -> Desired:
    fields = {"domain_names": [f"{name}.x"], "forward_host": "h", "access_list_id": access_list}
    return Desired(Key("proxy", name), KINDS["proxy"].normalise(fields))


def live_host(npm_id: int, name: str, access_list: int) -> Live:
    fields = host(name, access_list).fields
    return Live("proxy", npm_id, fields, created_on=f"day {npm_id}", online=True)


def row(entry: Desired, npm_id: int, **digest: str) -> Applied:
    return Applied(entry.key, npm_id, entry.fields, f"day {npm_id}", digests=digest)


def of(plan: Plan, name: str) -> Change:
    (found,) = [change for change in plan.changes if change.name == name]
    return found


def test_a_host_waits_for_what_it_refers_to_in_the_same_run() -> None:
    wanted = [host("a", Reference.to(LAN)), Desired(LAN, rules("10.0.0.1"))]
    plan = make_plan(wanted, Snapshot(()), (), POLICY)
    assert [change.is_open for change in plan.changes] == [True, True]
    assert of(plan, "a").fields["access_list_id"].new == "access_list/lan"

    known = make_plan(wanted, Snapshot((live_list(3, rules("10.0.0.1")),)), (), POLICY)
    assert known.unchanged == (LAN,)
    assert of(known, "a").fields["access_list_id"].new == 3


def test_what_cannot_be_made_stops_those_that_need_it_and_nobody_else() -> None:
    broken = Desired(LAN, rules("10.0.0.1"), problem="NPM cannot do that")
    wanted = [host("a", Reference.to(LAN)), host("b", 0), broken]
    plan = make_plan(wanted, Snapshot(()), (), POLICY)
    hold = of(plan, "a").hold
    assert hold is not None
    assert (hold.kind, hold.reason) == (
        "waiting",
        'needs the access list "lan", which cannot be made: NPM cannot do that',
    )
    assert of(plan, "b").is_open


def test_nothing_is_deleted_that_a_host_refers_to() -> None:
    wanted, theirs = Desired(LAN, rules("10.0.0.1")), live_host(5, "theirs", 3)
    objects = (live_list(3, wanted.fields), theirs)
    plan = make_plan([host("b", 0)], Snapshot(objects), [row(wanted, 3)], POLICY)
    assert (of(plan, "lan").action, "theirs.x" in of(plan, "lan").reason) == ("conflict", True)

    ours = host("a", 3)
    objects = (live_list(3, wanted.fields), live_host(5, "a", 3))
    rows = [row(wanted, 3), row(ours, 5)]
    freed = make_plan([host("a", 0)], Snapshot(objects), rows, POLICY)
    assert [change.action for change in freed.to_make] == ["update", "delete"]
    kept = make_plan([host("a", 0)], Snapshot(objects), rows, POLICY, blocked={ours.key: "dead"})
    assert kept.to_make == ()


def test_what_is_called_and_filled_alike_is_ours_and_nothing_else_is() -> None:
    wanted = Desired(LAN, rules("10.0.0.1"))
    other = live_list(2, rules("10.0.0.2"))
    both = Snapshot((other, live_list(3, wanted.fields)))
    plan = make_plan([wanted], both, (), POLICY)
    assert (plan.changes, [r.npm_id for r in plan.records]) == ((), [3])
    alone = make_plan([wanted], Snapshot((other,)), (), POLICY)
    assert alone.changes[0].action == "conflict"
    assert alone.changes[0].takes == other
    assert "access list #2" in alone.changes[0].reason
    adopting = Policy(adopting=frozenset({LAN}))
    assert make_plan([wanted], Snapshot((other,)), (), adopting).to_make[0].action == "adopt"


def test_a_renamed_entry_is_an_update() -> None:
    before = Desired(LAN, rules("10.0.0.1"))
    after = Desired(Key("access_list", "home"), rules("10.0.0.1", name="home"))
    objects = Snapshot((live_list(3, before.fields),))
    (change,) = make_plan([after], objects, [row(before, 3)], POLICY).changes
    assert (change.action, change.npm_id, sorted(change.fields)) == ("update", 3, ["name"])


def test_a_password_is_told_from_another_by_its_digest_or_else_by_its_hint() -> None:
    secrets = {"alice": "a-password"}
    entry = Desired(LAN, rules(users=("alice",)), secrets=secrets)
    mine = digests(b"key", secrets)
    same, other = "a*********", "b*********"
    assert "password" not in str(mine)
    assert (
        differing(entry, row(entry, 3, **mine), live_list(3, entry.fields, alice=same), b"key")
        == []
    )
    for known, hint in ((mine, other), ({"alice": "0"}, same), ({}, other)):
        live = live_list(3, entry.fields, alice=hint)
        assert differing(entry, row(entry, 3, **known), live, b"key") == ["alice"]
    assert differing(entry, None, live_list(3, entry.fields, alice=same), b"key") == []
    assert digests(b"another", secrets) != mine


def test_a_password_that_a_list_in_the_way_has_is_not_asked_for() -> None:
    wanted = Desired(LAN, rules(users=("alice",)))
    has = replace(live_list(2, wanted.fields, alice="a***"), given_back=True)
    taken = of(make_plan([wanted], Snapshot((has,)), (), POLICY), "lan")
    assert taken.takes == has
    lacking = live_list(2, rules(users=("bob",)), bob="b***")
    for there in ((), (lacking,)):
        reason = of(make_plan([wanted], Snapshot(there), (), POLICY), "lan").reason
        assert '`users: {alice: "${ALICE_PASSWORD}"}`' in reason


@pytest.mark.parametrize(
    ("secret", "hint"), [("word", "w***"), ("pass\U0001f600", "p*****"), ("\U0001f600", "\ud83d*")]
)
def test_npm_counts_the_letters_of_a_password_in_utf_16(secret: str, hint: str) -> None:
    assert LIST.hint_of(secret) == hint


def test_a_deletion_in_conflict_shows_no_new_values() -> None:
    wanted, theirs = Desired(LAN, rules("10.0.0.1")), live_host(5, "theirs", 3)
    objects = Snapshot((live_list(3, wanted.fields), theirs))
    plan = make_plan([host("b", 0)], objects, [row(wanted, 3)], POLICY)
    assert edits_of(of(plan, "lan")) == ()


def test_a_password_that_was_changed_in_npm_is_drift_like_a_field() -> None:
    secrets = {"alice": "a-password", "bob": "b-password"}
    entry = Desired(LAN, rules(users=("alice", "bob")), secrets=secrets)
    rows = [row(entry, 3, **digests(b"key", secrets))]
    there = Snapshot((live_list(3, entry.fields, alice="x***", bob="b*********"),))
    fixed = of(make_plan([entry], there, rows, POLICY), "lan")
    assert (fixed.is_open, fixed.drift) == (True, True)
    assert fixed.undoes == {PASSWORDS}

    reporting = replace(POLICY, drift="report")
    contested = replace(POLICY, contested={LAN: frozenset({PASSWORDS})})
    for policy, kind in ((reporting, HoldKind.DRIFT), (contested, HoldKind.CONTESTED)):
        (held,) = make_plan([entry], there, rows, policy).held(kind)
        assert held.reason == "the password of alice is another one"
        named = replace(entry, fields=rules(users=("alice", "bob"), name="home"))
        renamed = make_plan([named], there, rows, policy)
        assert dict(renamed.to_make[0].secrets) == {"bob": "b-password"}
        assert "the password of alice" in renamed.notes[0].message

    rotated = replace(entry, secrets={**secrets, "alice": "a-new-one"})
    for policy in (POLICY, reporting, contested):
        change = of(make_plan([rotated], there, rows, policy), "lan")
        assert (change.is_open, change.drift) == (True, False)


def test_a_rollback_that_lacks_a_password_leads_to_the_file() -> None:
    entry = Desired(LAN, rules(users=("alice",)))
    reason = of(make_plan([entry], Snapshot(()), (), replace(POLICY, back_to=3)), "lan").reason
    assert "put its entry back into the file" in reason
