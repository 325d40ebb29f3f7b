"""A random history on a real NPM: what must hold, holds whatever happens, and in the end all is
in sync.

`PROXYSYNC_TEST_SEED` and `PROXYSYNC_TEST_STEPS` choose another history than a short one; steps
that need more of NPM than its API are left out unless the environment says how to take them:
`PROXYSYNC_TEST_NPM_DATA` is the folder that NPM sees as /data, `PROXYSYNC_TEST_NPM_KILL` and
`PROXYSYNC_TEST_NPM_START` are shell commands for its backend.
"""

import os
import re
import socket
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from proxysync.demo.services import DemoService
from tests.by_kind import SECRETS, WORDS, Surroundings
from tests.random_history.actors import Hands, Number
from tests.random_history.file import File
from tests.random_history.history import History
from tests.random_history.visitors import Visitors
from tests.world import SUFFIX, World, domain, eventually

SEED = int(os.environ.get("PROXYSYNC_TEST_SEED", "1"))
STEPS = int(os.environ.get("PROXYSYNC_TEST_STEPS", "25"))

PORTS = tuple(range(21000, 21000 + len(WORDS)))
"""Ports that are free on a real NPM's machine."""

CONVERGES_WITHIN = 180.0
"""Seconds after which all must be in sync once nobody does anything any more."""

NOBODYS = re.compile(
    r"([a-z0-9 ]+?) #(\d+), which proxysync does not manage; free the (?:domain|port) in NPM"
)

pytestmark = pytest.mark.timeout(600 + 20 * STEPS)

SAID: list[str] = []


def say(line: str) -> None:
    SAID.append(line)
    print(line, flush=True)


@pytest.fixture
def history(world: World, services: list[DemoService]) -> Iterator[History]:
    SAID.clear()
    world.env.pop("PYTHONWARNINGS")  # several commands at once: only what they do is of interest
    world.env.update(SECRETS)
    users = [{"username": "alice", "password": "wonderland"}]
    access_list = f"guests.{SUFFIX}"
    world.npm.call(
        "POST",
        "/nginx/access-lists",
        {
            "name": access_list,
            "satisfy_any": False,
            "pass_auth": False,
            "items": users,
            "clients": [],
        },
    )
    with socket.create_server(("127.0.0.1", 0)) as other:
        urls = tuple(service.url for service in services)
        file = File(Surroundings(urls, PORTS, other.getsockname()[1], access_list))
        hands = Hands(world.npm, file.kinds)
        for name, kind in file.kinds.items():
            for place in kind.of_strangers:
                hands.add_foreign(name, place)
        found = History(world, file, hands, SEED, say)
        try:
            yield found
        finally:
            found.daemon.kill()
            found.shells.stop()
            found.accidents.mend_nginx()


@pytest.mark.parametrize("npm", [pytest.param("real", marks=pytest.mark.live)], indirect=True)
def test_whatever_happens_steady_sites_never_fail_and_all_is_in_sync_at_the_end(
    history: History,
) -> None:
    say(f"seed {SEED}, {STEPS} steps")
    begin(history)
    visitors = watching(history)
    with visitors.at_work():
        for _ in range(STEPS):
            history.step(visitors)
        history.mend_all()
        end(history, visitors)
        history.check(visitors)
    say(f"all in sync; {visitors.visits} visits, none failed")


def watching(history: History) -> Visitors:
    """Visitors of all that must always be served, or never without a password."""
    file = history.file
    steady = {
        where: answer
        for key in file.steady
        for where, answer in file.kind(key).answers(file.entries[key]).items()
    }
    assert len(steady) == len(file.steady)
    texts = file.kind(file.guarded[0]).around.texts.values()
    closed = {
        where: texts for key in file.guarded for where in file.kind(key).answers(file.entries[key])
    }
    return Visitors(history.world.npm.ask, steady, closed)


def begin(history: History) -> None:
    """Applied twice, so that a rollback of the last run takes no steady site with it."""
    history.save()
    history.world.apply()
    rng = Random(SEED)
    for kind in history.file.kinds.values():
        free = [place for place in history.file.unused(kind) if place not in kind.bad_places]
        for place in (free[0], free[-1]):
            history.file.want(rng, kind, place)
    history.save()
    history.world.apply()
    visitors = watching(history)
    eventually(lambda: {where: visitors.ask(where) for where in visitors.steady} == visitors.steady)
    row = history.hands.find(*next(iter(history.file.entries.items())))
    assert row is not None
    history.hands.state = row["meta"]["proxysync"]["state"]
    history.daemon.start()


def end(history: History, visitors: Visitors) -> None:
    world = history.world
    eventually(lambda: in_sync(history, visitors), patience=CONVERGES_WITHIN)
    rows = definitions(history)
    done = world.run("apply", "--yes", env={"PROXYSYNC_STATE_DIR": str(history.second)})
    say(f"the second state at the end: {done.code} {done.out.strip()[-200:]}")
    assert definitions(history) == rows, "the second state folder changed something"


def decide_whose(history: History, status: list[dict[str, Any]]) -> None:
    """A person's word on what two state folders leave alone of each other, as the hints say.

    A host that the other one made, and whose marker a hand has dropped, is nobody's any more.
    """
    free(history, " ".join(row["detail"] or "" for row in status))
    syncs = {row["sync"] for row in status}
    words = {
        "conflict": ("adopt", "--all", "--yes"),
        "orphan": ("apply", "--delete-orphans", "--yes"),
    }
    for sync in sorted(syncs & set(words)):
        done = history.world.run(*words[sync])
        told = " ".join(done.out.split())
        say(f"{' '.join(words[sync])}: {done.code} {told[:300]}")
        free(history, told)


def free(history: History, told: str) -> None:
    """Deletes in NPM what is in the way and nobody's, as these words ask for."""
    labels = {kind.kind.label: name for name, kind in history.file.kinds.items()}
    for words, number in {found.groups() for found in NOBODYS.finditer(told)}:
        name = next(name for label, name in labels.items() if words.endswith(label))
        assert (name, int(number)) not in history.hands.foreign, told
        history.world.npm.call("DELETE", f"{history.file.kinds[name].path}/{number}")
        say(f"free it in NPM: delete {name} #{number}")


def in_sync(history: History, visitors: Visitors) -> bool:
    """Whether NPM, its nginx, plan and status are as the file says, and there is nothing else."""
    history.check(visitors)
    world, wanted = history.world, history.file.entries
    what = [*not_as_wanted(history), *not_served(history, visitors)]
    plan = world.call("plan", "--format", "json")
    if plan.code != 0 or plan.json["changes"]:
        what.append(f"plan: {plan.err.strip()[-200:]} {' '.join(plan.out.split())[:600]}")
    status = world.call("status", "--format", "json").json["proxies"]
    what += [
        f"status: {row['kind']}/{row['name']} is {row['sync']}: {row['detail']}"
        for row in status
        if row["sync"] not in ("in sync", "disabled")
    ]
    if {(row["kind"], row["name"]) for row in status} != set(wanted):
        what.append(f"status: {sorted((row['kind'], row['name']) for row in status)}")
    decide_whose(history, status)
    if what and what != STILL:
        STILL[:] = what
        say("not yet: " + "\n         ".join(what))
    return not what


STILL: list[str] = []


def not_as_wanted(history: History) -> Iterator[str]:
    """What NPM has otherwise than the file says."""
    wanted = history.file.entries
    for name, kind in history.file.kinds.items():
        rows = history.hands.rows(name)
        entries = {key: entry for key, entry in wanted.items() if key[0] == name}
        if len(rows) != len(entries):
            yield f"NPM has {len(rows)} of {kind.kind.section}, the file {sorted(entries)}: {rows}"
        for key, entry in entries.items():
            row = history.hands.find(key, entry)
            is_on = bool(entry.get("enabled", True))
            if (
                row is None
                or kind.differs(entry, row)
                or kind.is_on(row) != is_on
                or (is_on and not kind.is_online(row))
            ):
                yield f"{key} is not as in the file: {row}"
        for row in history.world.npm.call("GET", kind.path):
            if any(str(held).endswith(".invalid") for held in row.get("domain_names", ())):
                yield f"a canary is left: {row}"


def not_served(history: History, visitors: Visitors) -> Iterator[str]:
    """Places that do not answer as the file says, and places that should not answer."""
    wanted, nothing = history.file.answers(), visitors.ask(domain("nobody"))
    for where in {*everywhere(history.file), *wanted}:
        got = visitors.ask(where.replace("*", "any"))
        empty = got == nothing or got.startswith(ConnectionRefusedError.__name__)
        if not empty if where not in wanted else got != wanted[where]:
            yield f"{where} answers {got[:40]!r}, not {wanted.get(where)}"


def everywhere(file: File) -> set[str]:
    """Where visitors may ask for something of free entries."""
    return {
        kind.where(place)
        for kind in file.kinds.values()
        for place in kind.places
        if kind.kind.is_host and place not in kind.bad_places
    }


def definitions(history: History) -> dict[Number, Any]:
    return {
        (name, row["id"]): {**row, "modified_on": None, "meta": None}
        for name, kind in history.file.kinds.items()
        for row in kind.rows(history.world.npm)
    }
