"""What must hold of every plan, whatever the file, NPM and the state look like."""

import json
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxysync.kinds.proxy import PROXY
from proxysync.model import Applied, Desired, Key, Live
from proxysync.plan.match import same_host
from proxysync.plan.model import HOST, MARKER_FIELD, Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Failure, Policy
from proxysync.plan.render import to_json, to_markdown, to_text
from tests.keys import key

from .world import ALLOW_ALL, PerfectNpm, fields, live, npm, redirection, want

NAMES = ("ape", "bee", "cat", "dog", "elk")
DOMAINS = tuple(f"{letter}.example.com" for letter in "abcdefgh")
STATES = st.sampled_from(["ours", "ours", "ours", "another", "a third", None])
CONTESTED = ("forward_port", "domain_names", "enabled", MARKER_FIELD, HOST)
PORTS = st.sampled_from([8080, 8081])


several = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@dataclass(frozen=True)
class World:
    desired: tuple[Desired, ...]
    objects: tuple[Live, ...]
    rows: tuple[Applied, ...]
    others: tuple[Live, ...]
    blocked: dict[Key, str]
    failures: tuple[Failure, ...]
    policy: Policy

    def npm(self) -> PerfectNpm:
        return PerfectNpm.of(self.objects, self.rows, others=self.others, state=self.policy.state)

    def plan(self, server: PerfectNpm, policy: Policy | None = None) -> Plan:
        return make_plan(
            self.desired,
            server.snapshot,
            tuple(server.rows.values()),
            policy or self.policy,
            blocked=self.blocked,
            failures=self.failures,
        )


@st.composite
def hands(draw: Any) -> tuple[list[set[str]], list[set[str]]]:
    """The domains of each name, now and in the file; most stay where they are."""
    now: list[set[str]] = [set() for _ in NAMES]
    then: list[set[str]] = [set() for _ in NAMES]
    for domain in DOMAINS:
        holder, other = draw(st.tuples(st.integers(0, 5), st.integers(0, 10)))
        wanter = other if other <= len(NAMES) else holder
        if holder < len(NAMES):
            now[holder].add(domain)
        if wanter < len(NAMES):
            then[wanter].add(domain)
    return now, then


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * 4 + list(others))


@st.composite
def hosts(draw: Any, domains: list[set[str]]) -> list[Live]:
    objects = []
    for npm_id, (name, hand) in enumerate(zip(NAMES, domains, strict=True), start=1):
        if hand:
            marker = draw(mostly(name, None, None, NAMES[0], "left"))
            host = live(
                npm_id,
                marker,
                *hand,
                instance=draw(mostly("default", "other")),
                state=draw(STATES),
                online=draw(mostly(True, None, False)),
                forward_port=draw(PORTS),
                enabled=draw(mostly(True, False)),
            )
            objects.append(host)
    return objects


@st.composite
def state(draw: Any, objects: list[Live], desired: list[Desired]) -> list[Applied]:
    rows = []
    wanted = {entry.name: entry.fields for entry in desired}
    for name in draw(st.sets(st.sampled_from(NAMES))):
        usual = next((o for o in objects if o.npm_id == NAMES.index(name) + 1), None)
        host = draw(mostly(usual, None, *objects))
        definitions = [o.fields for o in (usual, host) if o]
        definition = draw(
            st.sampled_from([*definitions, wanted.get(name, fields("a.x")), fields("b.x")])
        )
        created_on = host.created_on if host and draw(st.integers(0, 4)) else "another day"
        unconfirmed = draw(st.integers(0, 5)) == 0
        npm_id = host.npm_id if host else 77
        writer = draw(STATES)
        rows.append(Applied(key(name), npm_id, definition, created_on, unconfirmed, writer))
    return rows


@st.composite
def worlds(draw: Any) -> World:
    now, then = draw(hands())
    objects = draw(hosts(now))
    desired = [
        want(
            name, *hand, forward_port=draw(PORTS), problem=draw(mostly(None, None, "no such list"))
        )
        for name, hand in draw(st.permutations(list(zip(NAMES, then, strict=True))))
        if hand
    ]
    some_keys = st.one_of(
        st.just(frozenset[Key]()), st.frozensets(st.sampled_from([*map(key, NAMES)]))
    )
    theirs = (redirection(9, DOMAINS[0]),)
    befores = [None, *(host.fields for host in objects)]
    return World(
        desired=tuple(desired),
        objects=tuple(objects),
        rows=tuple(draw(state(objects, desired))),
        others=draw(
            st.sampled_from([(), (), *([] if DOMAINS[0] in set().union(*now) else [theirs])])
        ),
        blocked=dict.fromkeys(sorted(draw(some_keys)), "port 8080 is closed"),
        failures=tuple(
            Failure(entry.key, entry.fields, draw(st.sampled_from(befores)), "nginx refused it")
            for entry in desired
            if draw(st.integers(0, 4)) == 0
        ),
        policy=replace(
            ALLOW_ALL,
            drift=draw(st.sampled_from(["fix", "fix", "report"])),
            prune=draw(mostly(True, False)),
            state=draw(mostly("ours", None)),
            contested={
                one: frozenset({draw(st.sampled_from(CONTESTED))}) for one in draw(some_keys)
            },
            adopting=draw(some_keys),
        ),
    )


@several
@given(worlds())
def test_a_second_plan_after_the_first_changes_nothing(world: World) -> None:
    server = world.npm()
    server.carry_out(world.plan(server))
    again = world.plan(server, replace(world.policy, adopting=frozenset()))
    assert again.to_make == ()
    assert again.records == ()
    server.carry_out(again)
    last = world.plan(server, replace(world.policy, adopting=frozenset()))
    assert (last.to_make, last.records, last.forget) == ((), (), ())


@several
@given(worlds())
def test_what_is_called_unchanged_is_as_the_file_asks(world: World) -> None:
    server = world.npm()
    server.carry_out(world.plan(server))
    plan = world.plan(server)
    wanted = {entry.name: entry.fields for entry in world.desired}
    marked = [o for o in server.hosts.values() if o.marker and o.marker.instance == "default"]
    there = {
        **{r.name: o.fields for r in server.rows.values() for o in marked_by_none(server, r)},
        **{o.marker.name: o.fields for o in marked if o.marker},
    }
    shown = {change.name for change in plan.changes}
    unchanged = {found.name for found in plan.unchanged}
    assert unchanged == wanted.keys() - shown
    assert all(there[name] == wanted[name] for name in unchanged)


def marked_by_none(server: PerfectNpm, row: Applied) -> list[Live]:
    """The host of a row, if it is known by that alone."""
    return [o for o in server.hosts.values() if o.marker is None and same_host(row, o)]


@several
@given(worlds())
def test_foreign_hosts_are_untouched_unless_adopted(world: World) -> None:
    known = {(r.npm_id, r.created_on) for r in world.rows}
    foreign = {
        o.npm_id
        for o in world.objects
        if (o.marker is None and (o.npm_id, o.created_on) not in known)
        or (o.marker is not None and o.marker.instance != "default")
    }
    server = world.npm()
    plan = world.plan(server)
    server.carry_out(plan)
    adopted = {c.npm_id for c in plan.to_make if c.action == "adopt"}
    assert {c.key for c in plan.to_make if c.action == "adopt"} <= world.policy.adopting
    assert adopted <= foreign | {o.npm_id for o in world.objects if o.writer}
    for before in world.objects:
        if before.npm_id in foreign - adopted:
            assert server.hosts[before.npm_id] == before


@several
@given(worlds())
def test_no_plan_deletes_a_host_of_an_entry_in_the_file(world: World) -> None:
    server = world.npm()
    plan = world.plan(server)
    names = {entry.name for entry in world.desired}
    deleted = {c.npm_id for c in plan.changes if c.action == "delete"}
    assert not [
        o for o in world.objects if o.npm_id in deleted and o.marker and o.marker.name in names
    ]


@several
@given(worlds())
def test_nothing_is_deleted_without_a_row_for_this_very_host(world: World) -> None:
    known = {(r.kind, r.npm_id, r.created_on) for r in world.rows}
    for change in world.plan(world.npm()).to_make:
        if change.action == "delete":
            assert change.live is not None
            assert (change.kind, change.npm_id, change.live.created_on) in known


@several
@given(worlds())
def test_what_is_stopped_keeps_its_host_and_its_domains(world: World) -> None:
    server = world.npm()
    plan = world.plan(server)
    server.carry_out(plan)
    for change in plan.changes:
        if not change.is_open and change.live is not None:
            assert server.hosts[change.live.npm_id] == change.live


@several
@given(worlds())
def test_a_domain_that_is_served_and_wanted_stays_served(world: World) -> None:
    server = world.npm()
    before = set(server.served)
    server.carry_out(world.plan(server))
    wanted = {domain for entry in world.desired for domain in PROXY.claims(entry.fields)}
    assert before & wanted <= set(server.served)


@several
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_inputs_does_not_matter(world: World, random: Any) -> None:
    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(items, len(items)))

    other = replace(
        world,
        desired=shuffled(world.desired),
        objects=shuffled(world.objects),
        rows=shuffled(world.rows),
        failures=shuffled(world.failures),
    )
    one, two = world.plan(world.npm()), other.plan(other.npm())
    assert sorted(map(repr, one.changes)) == sorted(map(repr, two.changes))
    assert sorted(one.unchanged) == sorted(two.unchanged)
    assert sorted(map(repr, one.records)) == sorted(map(repr, two.records))
    assert (one.forget, one.refused) == (two.forget, two.refused)


@several
@given(worlds())
def test_changes_stand_in_the_order_of_the_file_and_deletes_last(world: World) -> None:
    plan = world.plan(world.npm())
    order = [entry.name for entry in world.desired]
    names = [change.name for change in plan.changes]
    entries = [name for name in names if name in order]
    leaving = [name for name in names if name not in order]
    assert names == sorted(entries, key=order.index) + sorted(leaving)
    assert sorted([*entries, *(found.name for found in plan.unchanged)]) == sorted(order)


@several
@given(st.permutations(DOMAINS), st.permutations(DOMAINS), st.integers(1, 5))
def test_moving_domains_among_entries_only_updates(
    before: list[str], after: list[str], count: int
) -> None:
    objects = [live(n + 1, NAMES[n], *before[n::count]) for n in range(count)]
    plan = make_plan(
        [want(NAMES[n], *after[n::count]) for n in range(count)], npm(*objects), (), Policy()
    )
    assert {c.action for c in plan.changes} <= {"update"}
    assert all(c.is_open for c in plan.changes)
    PerfectNpm.of(objects, ()).carry_out(plan)


@several
@given(st.permutations(NAMES), st.integers(1, 5))
def test_renaming_every_key_only_updates(order: list[str], count: int) -> None:
    objects = [live(n + 1, NAMES[n], DOMAINS[n]) for n in range(count)]
    desired = [want(f"new-{order[n]}", DOMAINS[n]) for n in range(count)]
    plan = make_plan(desired, npm(*objects), (), Policy())
    assert [c.reason for c in plan.to_make] == [f"renamed from {NAMES[n]}" for n in range(count)]
    assert {c.action for c in plan.changes} == {"update"}


@several
@given(worlds())
def test_a_plan_can_always_be_shown(world: World) -> None:
    plan = world.plan(world.npm())
    shown = json.loads(json.dumps(to_json(plan)))
    assert len(shown["changes"]) == len(plan.changes)
    text, markdown = to_text(plan, colour=False), to_markdown(plan)
    for change in plan.changes:
        assert change.name in text
        assert f"<code>{change.name}" in markdown
