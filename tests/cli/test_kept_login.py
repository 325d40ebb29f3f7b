"""One login serves many runs, and none that should not have it."""

from pathlib import Path

import pytest

from proxysync.sandbox import Sandbox
from proxysync.store.tokens import NAME
from tests.world import World, domain, eventually

LOGIN = ("POST", "/tokens")


def logins(npm: Sandbox) -> int:
    """How many there were since this was asked last."""
    count = npm.requests.count(LOGIN)
    npm.requests.clear()
    return count


@pytest.fixture
def npm(small_world: World) -> Sandbox:
    found = small_world.npm.sandbox
    assert found is not None
    small_world.write({"one": {"upstream": "http://127.0.0.1:9"}})
    small_world.call("apply", "--yes")  # which makes the state folder, once it has logged in
    small_world.call("plan")
    found.requests.clear()
    return found


def test_a_run_asks_for_the_password_only_where_no_token_serves(
    small_world: World, npm: Sandbox
) -> None:
    world, file = small_world, small_world.state / NAME
    for _ in range(2):
        assert world.call("plan").code == 0
    assert logins(npm) == 0

    for lose in (npm.expire_tokens, npm.forget_tokens, file.unlink):
        lose()
        assert world.call("plan").code == 0
        assert logins(npm) == 1, lose
        assert world.call("plan").code == 0
        assert logins(npm) == 0, lose

    refused = world.call("plan", "--npm-secret", "rotated, and not in NPM yet")
    assert refused.code == 1
    assert "does not accept" in refused.err
    assert logins(npm) == 1, "another secret has nothing of this one's token"


def test_a_token_whose_number_is_another_user_by_now_is_dropped(
    small_world: World, npm: Sandbox
) -> None:
    """As after NPM was restored, with its key and without its users."""
    accounts = npm._store.accounts
    (admin,) = accounts.all()
    other = type(admin)(admin.id, "somebody@example.com", "x", ("admin",), {}, visibility="all")
    accounts.add(other)
    done = small_world.call("plan")
    assert done.code == 1
    assert "does not accept" in done.err
    assert npm.requests[:2] == [("GET", "/"), ("GET", "/users/me")], "nothing is asked as another"
    assert logins(npm) == 1
    assert not (small_world.state / NAME).exists()


def test_a_daemon_asks_now_and_then_whose_its_token_is(small_world: World, npm: Sandbox) -> None:
    """NPM may be restored while it runs, in a moment in which it asks nothing."""
    soon = "from proxysync.npm import session; session.SURE_FOR = 0.0"
    entry = {"upstream": "http://127.0.0.1:9"}
    settings = {"resync_interval": "1s", "validation": {"mode": "off"}}
    small_world.write({"one": entry}, settings=settings)
    accounts = npm._store.accounts
    (admin,) = accounts.all()
    with small_world.daemon(soon):
        eventually(lambda: "proxy.created" in small_world.event_names())
        other = type(admin)(admin.id, "somebody@example.com", "x", ("admin",), {}, visibility="all")
        accounts.add(other)
        small_world.write({"two": entry, "one": entry}, settings=settings)
        eventually(lambda: "npm.login" in small_world.event_names())
        assert [host["domain_names"] for host in npm.proxy_hosts()] == [[domain("one")]]
        accounts.add(admin)
        eventually(lambda: "proxy.created" in small_world.event_names(name="two"))


def test_doctor_tries_the_password_itself(small_world: World, npm: Sandbox) -> None:
    small_world.call("doctor")
    assert logins(npm) == 1


def test_the_token_stands_in_its_file_alone(small_world: World, npm: Sandbox) -> None:
    import json

    token = json.loads((small_world.state / NAME).read_text())["token"]
    shown = [small_world.call(*words) for words in (["plan"], ["events"], ["status"], ["doctor"])]
    assert not any(token in done.out + done.err for done in shown)
    files = [path for path in small_world.folder.rglob("*") if path.is_file()]
    assert [path for path in files if token.encode() in path.read_bytes()] == [
        small_world.state / NAME
    ]


def test_who_has_no_state_folder_gets_none(small_world: World, npm: Sandbox) -> None:
    elsewhere = Path(small_world.folder / "elsewhere")
    assert small_world.call("plan", "--state-dir", str(elsewhere)).code == 0
    assert not elsewhere.exists()
    assert logins(npm) == 1
