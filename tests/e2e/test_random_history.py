"""A random history on a real NPM: what must hold, holds whatever happens, and in the end all is
in sync.

`PROXYSYNC_TEST_SEED` and `PROXYSYNC_TEST_STEPS` choose another history than a short one; steps
that need more of NPM than its API are left out unless the environment says how to take them:
`PROXYSYNC_TEST_NPM_DATA` is the folder that NPM sees as /data, `PROXYSYNC_TEST_NPM_KILL` and
`PROXYSYNC_TEST_NPM_START` are shell commands for its backend.
"""

import os
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from proxysync.demo.services import DemoService
from tests.random_history.actors import FOREIGN, Hands
from tests.random_history.file import DOMAINS, GUARDED, STEADY, File
from tests.random_history.history import History
from tests.random_history.visitors import Visitors
from tests.world import SUFFIX, World, domain, eventually

SEED = int(os.environ.get("PROXYSYNC_TEST_SEED", "1"))
STEPS = int(os.environ.get("PROXYSYNC_TEST_STEPS", "25"))

CONVERGES_WITHIN = 180.0
"""Seconds after which all must be in sync once nobody does anything any more."""

NOBODYS = re.compile(r"proxy host #(\d+), which proxysync does not manage; free the domain in NPM")

pytestmark = pytest.mark.timeout(600 + 20 * STEPS)

SAID: list[str] = []


def say(line: str) -> None:
    SAID.append(line)
    print(line, flush=True)


@pytest.fixture
def history(world: World, services: list[DemoService]) -> Iterator[History]:
    SAID.clear()
    world.env.pop("PYTHONWARNINGS")  # several commands at once: only what they do is of interest
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
    urls = [service.url for service in services]
    file, hands = File(urls, access_list), Hands(world.npm, urls)
    for name in FOREIGN:
        hands.add_foreign(name)
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
    visitors = Visitors(
        history.world.npm.sites_url,
        {domain(name): text for name, text in zip(STEADY, ("one", "two"), strict=True)},
        {domain(GUARDED): "one two three"},
    )
    with visitors.at_work():
        for _ in range(STEPS):
            history.step(visitors)
        history.mend_all()
        end(history, visitors)
        history.check(visitors)
    say(f"all in sync; {visitors.visits} visits, none failed")


def begin(history: History) -> None:
    """Applied twice, so that a rollback of the last run takes no steady site with it."""
    history.save()
    history.world.apply()
    for name in (domain("d0"), domain("d1"), DOMAINS[-1], domain("d2")):
        history.file.want(Random(SEED), name)
    history.save()
    history.world.apply()
    for name in STEADY:
        eventually(lambda name=name: history.world.npm.visit(domain(name))[0] == 200)  # type: ignore[misc]
    history.hands.state = history.world.npm.host(STEADY[0])["meta"]["proxysync"]["state"]
    history.daemon.start()


def end(history: History, visitors: Visitors) -> None:
    world = history.world
    eventually(lambda: in_sync(history, visitors), patience=CONVERGES_WITHIN)
    rows = definitions(world)
    done = world.run("apply", "--yes", env={"PROXYSYNC_STATE_DIR": str(history.second)})
    say(f"the second state at the end: {done.code} {done.out.strip()[-200:]}")
    assert definitions(world) == rows, "the second state folder changed something"


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
    """Deletes in NPM the hosts that are in the way and nobody's, as these words ask for."""
    for npm_id in {int(found[1]) for found in NOBODYS.finditer(told)}:
        assert npm_id not in history.hands.foreign, told
        history.world.npm.call("DELETE", f"/nginx/proxy-hosts/{npm_id}")
        say(f"free the domain in NPM: delete host #{npm_id}")


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
        f"status: {row['name']} is {row['sync']}: {row['detail']}"
        for row in status
        if row["sync"] not in ("in sync", "disabled")
    ]
    if {row["name"] for row in status} != set(wanted):
        what.append(f"status: {sorted(row['name'] for row in status)}")
    decide_whose(history, status)
    if what and what != STILL:
        STILL[:] = what
        say("not yet: " + "\n         ".join(what))
    return not what


STILL: list[str] = []


def not_as_wanted(history: History) -> Iterator[str]:
    """What NPM has otherwise than the file says."""
    rows = [r for r in history.world.npm.hosts() if r["id"] not in history.hands.foreign]
    names = [str((row["meta"].get("proxysync") or {}).get("name")) for row in rows]
    wanted = history.file.entries
    if sorted(names) != sorted(wanted):
        yield f"NPM has {sorted(names)}, the file {sorted(wanted)}"
    for name, row in zip(names, rows, strict=True):
        entry = wanted.get(name, {})
        is_on = bool(entry.get("enabled", True))
        if entry and (
            row["domain_names"] != sorted(entry["domains"])
            or row["forward_port"] != int(entry["upstream"].rpartition(":")[2])
            or row["advanced_config"] != entry.get("advanced_config", "")
            or bool(row["access_list_id"]) != ("access_list" in entry)
            or bool(row["enabled"]) != is_on
            or (is_on and not row["meta"].get("nginx_online"))
        ):
            yield f"host {row['id']} is not as {name}: {row}"
    for row in history.world.npm.call("GET", "/nginx/proxy-hosts"):
        if any(name.endswith(".invalid") for name in row["domain_names"]):
            yield f"a canary is left: {row}"


def not_served(history: History, visitors: Visitors) -> Iterator[str]:
    """Names that do not answer as the file says, and names that should not answer."""
    texts = dict(zip(history.urls, ("one", "two", "three"), strict=True))
    wanted = {
        name: texts[entry["upstream"]]
        for entry in history.file.entries.values()
        if entry.get("enabled", True) and "access_list" not in entry
        for name in entry["domains"]
    }
    for name in {*DOMAINS, *wanted, domain(GUARDED)}:
        status, text = visitors.ask(name.replace("*", "any"))
        served = text.strip() if text.strip() in texts.values() else None
        if served != wanted.get(name):
            yield f"{name} answers {status} {text.strip()[:30]!r}, not {wanted.get(name)}"


def definitions(world: World) -> dict[int, Any]:
    return {row["id"]: {**row, "modified_on": None, "meta": None} for row in world.npm.hosts()}
