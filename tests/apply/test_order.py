"""The order of writes: no host takes a name that another one still holds."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from proxysync.apply.order import NO_NAMES, Part, WriteStep, in_order, wanted
from proxysync.kinds.proxy import PROXY
from proxysync.model import Live
from proxysync.plan.model import Change
from tests.keys import key

Names = frozenset[str]


def change(name: str, old: Names | None, new: Names | None, npm_id: int = 1) -> Change:
    def fields(names: Names) -> dict[str, object]:
        return dict(PROXY.complete({"domain_names": sorted(names)}))

    return Change(
        action="update" if old and new else "create" if new else "delete",
        key=key(name),
        npm_id=npm_id,
        drift=False,
        fields={},
        reason="",
        target=fields(new) if new else None,
        desired=fields(new) if new else None,
        live=Live("proxy", npm_id, fields(old)) if old else None,
    )


def carry_out(steps: Sequence[WriteStep], start: Mapping[str, Names]) -> list[dict[str, Names]]:
    """Plays the steps on a server that lets no two hosts hold one name; how it is after each."""
    moments = [dict(start)]
    for step in steps:
        held = dict(moments[-1])
        name, wants = step.change.name, wanted(step.change)
        if step.part is Part.DETACH:
            wants = step.names
        elif step.part is Part.TAKE:
            wants |= step.names
        others = NO_NAMES.union(*(held[other] for other in held if other != name))
        assert not wants & others, f"{name} takes what another one holds"
        held.pop(name, None)
        if step.change.target is not None or step.part is Part.DETACH:
            assert wants
            held[name] = wants
        moments.append(held)
    return moments


def served(held: Mapping[str, Names]) -> Names:
    return frozenset(name.removeprefix(".") for names in held.values() for name in names)


def split(assignment: Mapping[str, str]) -> dict[str, Names]:
    owners = set(assignment.values())
    return {
        owner: frozenset(name for name, by in assignment.items() if by == owner)
        for owner in owners
        if owner != "nobody"
    }


OWNERS = st.sampled_from(["a", "b", "c", "d", "e", "nobody"])
ASSIGNMENTS = st.fixed_dictionaries(dict.fromkeys([f"{i}.example" for i in range(7)], OWNERS))


@given(ASSIGNMENTS, ASSIGNMENTS, st.randoms(use_true_random=False))
def test_any_move_of_names_between_hosts_is_carried_out_without_a_clash(
    before: dict[str, str], after: dict[str, str], random: object
) -> None:
    old, new = split(before), split(after)
    changes = [
        change(name, old.get(name), new.get(name), index)
        for index, name in enumerate(sorted(old.keys() | new.keys()))
        if old.get(name) != new.get(name)
    ]
    random.shuffle(changes)  # type: ignore[attr-defined]
    steps = in_order(changes)
    moments = carry_out(steps, old)
    assert moments[-1] == new
    stay = served(old) & served(new)
    assert all(stay <= served(moment) for moment in moments), "a name is served by nobody"
    whole = [step.change.name for step in steps if step.part in (Part.WHOLE, Part.FINISH)]
    assert sorted(whole) == sorted(change.name for change in changes)


@given(ASSIGNMENTS, ASSIGNMENTS, st.integers(0, 30))
def test_moves_that_were_cut_short_are_finished_without_a_gap(
    before: dict[str, str], after: dict[str, str], made: int
) -> None:
    old, new = split(before), split(after)
    ids = {name: number for number, name in enumerate(sorted(old.keys() | new.keys()))}

    def steps(now: Mapping[str, Names]) -> list[WriteStep]:
        return in_order(
            [
                change(name, now.get(name), new.get(name), number)
                for name, number in ids.items()
                if now.get(name) != new.get(name)
            ]
        )

    first = carry_out(steps(old)[:made], old)
    moments = first + carry_out(steps(first[-1]), first[-1])
    assert moments[-1] == new
    stay = served(old) & served(new)
    assert all(stay <= served(moment) for moment in moments), "a name is served by nobody"


def parts(steps: Sequence[WriteStep]) -> list[tuple[str, str]]:
    return [(step.change.name, str(step.part)) for step in steps]


def test_a_swap_of_two_names() -> None:
    x, y = frozenset({"x"}), frozenset({"y"})
    steps = in_order([change("a", x, y, 1), change("b", y, x, 2)])
    assert parts(steps) == [
        ("a", "detach"),
        ("b", "detach"),
        ("a", "take"),
        ("b", "take"),
        ("a", "finish"),
        ("b", "finish"),
    ]
    assert steps[0].names == frozenset({".x"})


def test_no_alias_is_used_that_would_draw_visitors_from_another_host() -> None:
    x, y = frozenset({"x.example"}), frozenset({"y.example"})
    for other in (".x.example", "*.x.example"):
        steps = in_order([change("a", x, y, 1), change("b", y, x, 2)], {other, *x, *y})
        assert steps[0].names == frozenset({"moving-1.proxysync.invalid"})
        assert steps[1].names == frozenset({".y.example"})


def test_changes_that_move_no_names_are_single_steps_and_deletions_come_first() -> None:
    changes = [
        change("c", frozenset({"c"}), frozenset({"c", "new"}), 1),
        change("a", None, frozenset({"a"})),
        change("b", frozenset({"b"}), None, 2),
    ]
    assert parts(in_order(changes)) == [("b", "whole"), ("c", "whole"), ("a", "whole")]


def test_whoever_gives_and_takes_is_carried_out_together() -> None:
    changes = [
        change("taker", frozenset({"t"}), frozenset({"t", "moved"}), 1),
        change("other", None, frozenset({"o"})),
        change("giver", frozenset({"g", "moved"}), frozenset({"g"}), 2),
    ]
    assert parts(in_order(changes)) == [
        ("giver", "detach"),
        ("taker", "whole"),
        ("giver", "finish"),
        ("other", "whole"),
    ]
