"""The order of writes: no host takes a name that another one still holds."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from proxysync.apply.order import Step, in_order
from proxysync.kinds import PROXY
from proxysync.model import Live
from proxysync.plan.model import Change

Names = frozenset[str]


def change(name: str, old: Names | None, new: Names | None, npm_id: int = 1) -> Change:
    def fields(names: Names) -> dict[str, object]:
        return dict(PROXY.complete({"domain_names": sorted(names)}))

    return Change(
        action="update" if old and new else "create" if new else "delete",
        kind="proxy",
        name=name,
        npm_id=npm_id,
        drift=False,
        fields={},
        reason="",
        target=fields(new) if new else None,
        desired=fields(new) if new else None,
        live=Live("proxy", npm_id, fields(old)) if old else None,
    )


def carry_out(steps: Sequence[Step], start: Mapping[str, Names]) -> dict[str, Names]:
    """Plays the steps on a server that lets no two hosts hold one name."""
    held = dict(start)
    for step in steps:
        name, target = step.change.name, step.change.target
        wanted = step.keep or frozenset(target["domain_names"] if target else ())
        others = frozenset[str]().union(*(held[other] for other in held if other != name))
        assert not wanted & others, f"{name} takes what another one holds"
        if target is None:
            del held[name]
        else:
            assert wanted
            held[name] = wanted
    return held


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
    assert carry_out(steps, old) == new
    assert sorted(s.change.name for s in steps if s.keep is None) == sorted(c.name for c in changes)


def test_a_swap_costs_one_step_more_than_the_two_changes() -> None:
    x, y = frozenset({"x"}), frozenset({"y"})
    steps = in_order([change("a", x, y, 1), change("b", y, x, 2)])
    assert [(step.change.name, step.keep is not None) for step in steps] == [
        ("a", True),
        ("b", False),
        ("a", False),
    ]
    assert steps[0].keep == frozenset({"moving-1.proxysync.invalid"})


def test_the_taker_comes_straight_after_the_one_that_gives_up_the_name() -> None:
    changes = [
        change("taker", frozenset({"t"}), frozenset({"t", "moved"}), 1),
        change("giver", frozenset({"g", "moved"}), frozenset({"g"}), 2),
        change("other", None, frozenset({"o"})),
    ]
    names = [step.change.name for step in in_order(changes)]
    assert names.index("taker") == names.index("giver") + 1
