"""What protects a site, an access list or a certificate, is never lost by what we do or leave."""

from typing import Any

import pytest

from proxysync.demo.services import DemoService
from tests.signals import signal_at
from tests.world import HOST, HOSTS, World, domain, eventually

LIST = domain("staff")


@pytest.fixture
def guarded(world: World, services: list[DemoService]) -> World:
    """An entry with an access list and a certificate, in NPM already."""
    rights = {"clients": [{"address": "10.9.9.9", "directive": "allow"}], "items": []}
    world.npm.call("POST", "/nginx/access-lists", {"name": LIST, **rights})
    world.npm.add_certificate(domain("pair"), domain("one"))
    write(world, services)
    world.apply()
    assert world.npm.host("one")["access_list_id"]
    assert world.npm.visit(domain("one"))[0] in (301, 403)
    return world


def write(world: World, services: list[DemoService], **others: Any) -> None:
    entry = {"access_list": LIST, "certificate": domain("pair"), "force_ssl": True, **others}
    world.write({"one": {"upstream": services[0].url, **entry}})


def protection(world: World) -> tuple[Any, ...]:
    row = world.npm.host("one")
    return row["access_list_id"], row["certificate_id"], bool(row["ssl_forced"])


def test_file_with_a_typo_in_an_entry_that_goes_off_loses_nothing(
    guarded: World, services: list[DemoService]
) -> None:
    before = protection(guarded)
    write(guarded, services, enabled=False, access_list="no such list", certificate="no.such")
    done = guarded.call("apply", "--yes")
    assert done.code == 0, done.out + done.err
    assert 'NPM has no access list "no such list"' in done.out
    assert 'NPM has no certificate "no.such"' in done.out
    assert protection(guarded) == before
    assert not guarded.npm.host("one")["enabled"]
    assert "stays as NPM has it" in guarded.call("plan").out
    assert "stays as NPM has it" in guarded.call("status").out
    guarded.assert_in_sync()


def test_commands_the_daemon_says_once_what_it_leaves(
    guarded: World, services: list[DemoService]
) -> None:
    before = protection(guarded)
    write(guarded, services, enabled=False, access_list="no such list")
    with guarded.daemon():
        eventually(lambda: guarded.event_names().count("proxy.warning") == 1)
    assert protection(guarded) == before


def test_commands_adopt_of_what_is_off_keeps_what_it_had(
    world: World, services: list[DemoService]
) -> None:
    row = world.npm.call(
        "POST",
        "/nginx/access-lists",
        {"name": LIST, "clients": [{"address": "10.9.9.9", "directive": "allow"}], "items": []},
    )
    world.npm.add_host(domain("one"), access_list_id=row["id"])
    write(world, services, enabled=False, access_list="no such list", certificate="none")
    assert world.call("adopt", "one", "--yes").code == 0
    assert world.npm.host("one")["access_list_id"] == row["id"]


def test_file_with_an_entry_that_is_off_and_new_is_not_created_without_its_list(
    world: World, services: list[DemoService]
) -> None:
    write(world, services, enabled=False, access_list="no such list", certificate="none")
    done = world.call("apply", "--yes")
    assert done.code == 1
    assert "it is not created before that is known" in done.out
    assert world.npm.hosts() == []


@pytest.mark.parametrize("blank", ["", " ~"])
def test_file_with_nothing_behind_access_list_changes_nothing(guarded: World, blank: str) -> None:
    before = protection(guarded)
    text = guarded.file.read_text()
    guarded.file.write_text(text.replace(f"access_list: {LIST}", f"access_list:{blank}"))
    assert guarded.file.read_text() != text
    done = guarded.call("apply", "--yes")
    assert done.code == 1
    assert "access_list: none" in done.err
    assert protection(guarded) == before


def test_rights_an_account_that_sees_neither_takes_a_site_down_and_loses_nothing(
    small_world: World, services: list[DemoService]
) -> None:
    world, sandbox = small_world, small_world.npm.sandbox
    assert sandbox is not None
    rights = {"clients": [{"address": "10.9.9.9", "directive": "allow"}], "items": []}
    world.npm.call("POST", "/nginx/access-lists", {"name": LIST, **rights})
    world.npm.add_certificate(domain("pair"), domain("one"))
    write(world, services)
    world.apply()
    before = protection(world)
    hidden = {"access_lists": "hidden", "certificates": "hidden"}
    sandbox.add_user("few@example.com", "changeme", hidden, visibility="all")
    world.env["PROXYSYNC_NPM_IDENTITY"] = "few@example.com"
    write(world, services, enabled=False)
    done = world.call("apply", "--yes")
    assert done.code == 0, done.out + done.err
    assert protection(world) == before
    assert not world.npm.host("one")["enabled"]


def test_npm_whose_list_got_another_id_serves_the_site_with_the_list_of_that_name(
    guarded: World, services: list[DemoService]
) -> None:
    """As after a restore: the id that we wrote is another list now, which lets everybody in."""
    old = protection(guarded)[0]
    anybody = {"clients": [{"address": "all", "directive": "allow"}], "items": []}
    path = f"/nginx/access-lists/{old}"
    guarded.npm.call("PUT", path, {"name": domain("anybody"), "satisfy_any": True, **anybody})
    rights = {"clients": [{"address": "10.9.9.9", "directive": "allow"}], "items": []}
    new = guarded.npm.call("POST", "/nginx/access-lists", {"name": LIST, **rights})["id"]
    guarded.apply()
    assert protection(guarded)[0] == new != old
    eventually(lambda: guarded.npm.visit(domain("one"))[0] in (301, 403))


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_stop_at_a_write_leaves_no_moment_without_the_list(
    guarded: World, services: list[DemoService], method: str
) -> None:
    before = protection(guarded)
    write(guarded, services, advanced_config="client_max_body_size 3m;", http2=True)
    path = HOSTS if method == "POST" else HOST
    signal_at(guarded, "apply", "--yes", method=method, path=path)
    assert protection(guarded) == before
    assert guarded.npm.visit(domain("one"))[0] in (301, 403)
    guarded.apply()
    assert protection(guarded) == before
