"""Hosts that are not ours are never changed or deleted."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from proxysync.demo.services import DemoService
from proxysync.sandbox import Sandbox
from tests.world import World, domain, eventually


@pytest.fixture
def foreign(world: World, services: list[DemoService]) -> World:
    """Somebody else's host, whose domain an entry asks for, and an entry that is in NPM."""
    world.npm.add_host(domain("theirs"), port=services[1].port, meta={"note": "mine"})
    world.write({"one": {"upstream": services[0].url}})
    world.apply()
    world.write(
        {"one": {"upstream": services[0].url}, "theirs": {"upstream": services[0].url}},
    )
    return world


def theirs(world: World) -> list[dict[str, object]]:
    """All of the hosts without our marker, but for what NPM's own tests of nginx put there."""
    rows = [row for row in world.npm.hosts() if "proxysync" not in row["meta"]]
    return [{k: v for k, v in row.items() if k != "modified_on"} for row in rows]


@pytest.mark.parametrize(
    "words",
    [
        ["apply", "--yes"],
        ["apply", "--yes", "--max-delete", "100%", "--recreate", "--delete-orphans"],
        ["adopt", "one", "--yes"],
        ["release", "theirs", "--yes"],
        ["rollback", "--yes"],
        ["resume"],
    ],
    ids=lambda words: words[0] if len(words) < 4 else "apply with all flags",
)
def test_commands_none_touches_them(foreign: World, words: list[str]) -> None:
    before = theirs(foreign)
    foreign.call(*words)
    assert theirs(foreign) == before


def test_commands_run_says_that_they_are_in_the_way(foreign: World) -> None:
    before = theirs(foreign)
    with foreign.daemon():
        eventually(lambda: "proxy.conflict" in foreign.event_names(name="theirs"))
    assert theirs(foreign) == before


@pytest.mark.parametrize("ours", [domain("x"), f"*.{domain('x')}"], ids=["the name", "all below"])
@pytest.mark.parametrize("collection", ["proxy-hosts", "redirection-hosts", "dead-hosts"])
def test_commands_apply_takes_no_name_that_nginx_takes_for_theirs(
    world: World, services: list[DemoService], collection: str, ours: str
) -> None:
    if world.npm.version < (2, 12, 0):
        pytest.skip("before 2.12 no host can have a name that begins with a dot")
    more = {
        "proxy-hosts": {"forward_scheme": "http", "forward_host": "127.0.0.1", "forward_port": 9},
        "redirection-hosts": {
            "forward_scheme": "http",
            "forward_domain_name": "example.com",
            "forward_http_code": 301,
        },
        "dead-hosts": {},
    }[collection]
    world.npm.call("POST", f"/nginx/{collection}", {"domain_names": [f".{domain('x')}"], **more})
    world.write({"x": {"domains": [ours], "upstream": services[0].url}})
    before = world.npm.hosts()
    done = world.call("apply", "--yes")
    assert done.code == 1
    assert f"{ours} is held by" in done.out
    assert world.npm.hosts() == before


def test_shell_another_state_folder_touches_them_no_more(foreign: World) -> None:
    before = theirs(foreign)
    other = World(foreign.folder / "other", foreign.npm)
    other.folder.mkdir()
    other.file.write_text(foreign.file.read_text())
    assert other.call("apply", "--yes").code == 1
    assert theirs(foreign) == before


def test_instance_another_ones_hosts_are_theirs(
    foreign: World, services: list[DemoService]
) -> None:
    before = foreign.npm.hosts()
    foreign.write(
        {"one": {"upstream": services[1].url}, "new": {"upstream": services[0].url}},
        settings={"instance": "other"},
    )
    done = foreign.call("apply", "--yes")
    assert done.code == 1
    assert 'the proxysync instance "default" manages' in done.out
    assert [row for row in foreign.npm.hosts() if row in before] == before
    assert len(foreign.npm.hosts()) == len(before) + 1


def test_state_lost_they_stay_theirs(foreign: World) -> None:
    before = theirs(foreign)
    (foreign.state / "state.db").unlink()
    foreign.call("apply", "--yes")
    assert theirs(foreign) == before


@pytest.fixture
def anew() -> Iterator[Sandbox]:
    with Sandbox() as npm:
        yield npm


def test_npm_set_up_anew_has_hosts_of_others_under_the_ids_of_ours(
    small_world: World, services: list[DemoService], anew: Sandbox
) -> None:
    small_world.write({toy.text: {"upstream": toy.url} for toy in services})
    small_world.apply()
    # NPM dates hosts by the second, and all of this takes no longer.
    with sqlite3.connect(small_world.state / "state.db") as connection:
        connection.execute("UPDATE applied SET created_on = '2020-01-31 12:00:00'")
    small_world.npm.url, small_world.npm.sites_url = anew.url, anew.sites_url
    small_world.npm.log_in()
    small_world.env["PROXYSYNC_NPM_URL"] = anew.url
    for name in ("theirs", "two", "other"):
        small_world.npm.add_host(domain(name))
    before = small_world.npm.hosts()
    small_world.write({toy.text: {"upstream": toy.url} for toy in services[:2]})
    assert "--recreate" in small_world.call("apply", "--yes").out
    assert small_world.npm.hosts() == before
    words = ("apply", "--yes", "--recreate", "--max-delete", "100%", "--delete-orphans")
    assert small_world.call(*words).code == 1
    assert [row for row in small_world.npm.hosts() if row in before] == before


def test_file_that_renames_an_entry_to_their_name_touches_them_not(
    foreign: World, services: list[DemoService]
) -> None:
    before = theirs(foreign)
    foreign.write(
        {"theirs": {"domains": [domain("one"), domain("theirs")], "upstream": services[0].url}}
    )
    assert foreign.call("apply", "--yes").code == 1
    assert theirs(foreign) == before
    assert foreign.npm.visit(domain("one"))[1].strip() == services[0].text


def test_rights_that_hide_them_make_it_one_entrys_failure(
    small_world: World, services: list[DemoService]
) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    sandbox.add_user("few@example.com", "changeme", visibility="user")
    small_world.npm.add_host(domain("theirs"))
    before = theirs(small_world)
    small_world.env["PROXYSYNC_NPM_IDENTITY"] = "few@example.com"
    small_world.write(
        {"theirs": {"upstream": services[0].url}, "one": {"upstream": services[0].url}}
    )
    done = small_world.call("apply", "--yes")
    assert done.code == 1
    assert "already in use" in done.out
    assert theirs(small_world) == before
    assert small_world.npm.visit(domain("one"))[1].strip() == services[0].text


@pytest.mark.parametrize("section", ["access_lists", "certificates"])
def test_what_a_hidden_host_uses_is_not_deleted(
    small_world: World, services: list[DemoService], section: str, tmp_path: Path
) -> None:
    """NPM deletes it all the same: the host would lose its password, or its certificate."""
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    sandbox.add_user("few@example.com", "changeme", visibility="user")
    small_world.env["PROXYSYNC_NPM_IDENTITY"] = "few@example.com"
    pair = trustme.CA().issue_cert(domain("theirs"))
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    entry = {
        "access_lists": {"rules": [{"allow": "10.9.9.9"}]},
        "certificates": {
            "certificate": str(tmp_path / "cert.pem"),
            "key": str(tmp_path / "key.pem"),
        },
    }[section]
    sites = {"one": {"upstream": services[0].url}}
    small_world.write(sites, **{section: {"ours": entry}})
    small_world.apply()
    [used] = small_world.npm.call("GET", f"/nginx/{section.replace('_', '-')}")
    field = {"access_lists": "access_list_id", "certificates": "certificate_id"}[section]
    small_world.npm.add_host(domain("theirs"), **{field: used["id"]})
    before = theirs(small_world)
    small_world.write(sites)
    done = small_world.call("apply", "--yes", "--max-delete", "100%")
    assert done.code == 1
    assert "in NPM uses it" in done.out
    assert theirs(small_world) == before
    assert small_world.npm.call("GET", f"/nginx/{section.replace('_', '-')}") != []
