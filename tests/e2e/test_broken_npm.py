"""NPM broken by somebody else: one write at the most, and all of them again when it is well."""

from typing import Any

import pytest

from proxysync.demo.services import DemoService
from proxysync.health import latent
from proxysync.sandbox import Sandbox
from tests.world import SUFFIX, World, domain


@pytest.fixture
def broken(small_world: World, services: list[DemoService]) -> tuple[World, Sandbox]:
    """Three entries in NPM, which then is broken by a bad file of somebody."""
    small_world.write({toy.text: {"upstream": toy.url} for toy in services})
    small_world.apply()
    assert small_world.npm.sandbox is not None
    small_world.npm.sandbox.break_nginx("somebody's file")
    return small_world, small_world.npm.sandbox


def test_the_run_stops_at_the_first_500_and_says_why(
    broken: tuple[World, Sandbox], services: list[DemoService]
) -> None:
    world, sandbox = broken
    writes = len(sandbox.writes)
    world.write({toy.text: {"upstream": toy.url, "websockets": True} for toy in services})
    done = world.call("apply", "--yes")
    assert done.code == 1
    assert "stopped" in done.out
    assert "nginx -t" in done.out
    assert len(sandbox.writes) == writes + 1


def test_a_deleted_host_is_gone_for_visitors_once_npm_is_well(
    broken: tuple[World, Sandbox], services: list[DemoService]
) -> None:
    world, sandbox = broken
    one, two, _ = services
    world.write({"one": {"upstream": one.url}, "two": {"upstream": two.url}})
    assert world.call("apply", "--yes").code == 1
    sandbox.mend_nginx()
    world.apply()
    assert "three" not in world.npm.visit(domain("three"))[1]
    world.assert_in_sync()


def test_a_disabled_host_is_gone_for_visitors_once_npm_is_well(
    broken: tuple[World, Sandbox], services: list[DemoService]
) -> None:
    world, sandbox = broken
    one, two, three = services
    world.write(
        {
            "one": {"upstream": one.url},
            "two": {"upstream": two.url},
            "three": {"upstream": three.url, "enabled": False},
        }
    )
    assert world.call("apply", "--yes").code == 1
    sandbox.mend_nginx()
    world.apply()
    assert "three" not in world.npm.visit(domain("three"))[1]
    assert world.npm.host("three")["enabled"] is False
    world.assert_in_sync()


def test_a_host_made_behind_a_500_is_finished_and_not_made_twice(
    broken: tuple[World, Sandbox], services: list[DemoService]
) -> None:
    world, sandbox = broken
    entries = {toy.text: {"upstream": toy.url} for toy in services}
    world.write({**entries, "new": {"upstream": services[0].url}})
    assert world.call("apply", "--yes").code == 1
    sandbox.mend_nginx()
    world.apply()
    assert len(world.npm.hosts()) == 4
    assert "one" in world.npm.visit(domain("new"))[1]
    world.assert_in_sync()


def test_a_canary_does_not_outlive_a_broken_npm(
    broken: tuple[World, Sandbox], services: list[DemoService]
) -> None:
    world, sandbox = broken
    entries = {toy.text: {"upstream": toy.url} for toy in services}
    changed = {**entries["one"], "advanced_config": "client_max_body_size 1m;"}
    world.write({**entries, "one": changed})
    assert world.call("apply", "--yes").code == 1
    assert world.npm.host("one")["advanced_config"] == "", "the live host was not touched"
    sandbox.mend_nginx()
    world.apply()
    assert all(SUFFIX in name for row in sandbox.proxy_hosts() for name in row["domain_names"])
    world.assert_in_sync()


@pytest.mark.parametrize("how", ["drops it", "disables its host", "deletes its host"])
def test_what_breaks_nginx_is_cured_by_the_edit_that(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """As long as nginx has a name that does not resolve, NPM can write no host at all."""
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    monkeypatch.setattr(latent, "SECOND_TRY", 0.01)
    one, two, three = ({"upstream": toy.url} for toy in services)
    lost = {
        "locations": [{"path": "/x", "upstream": "http://lost.invalid.test:9"}],
        "validation": {"mode": "off", "allow_unresolved": True},
    }
    small_world.write({"one": {**one, **lost}, "two": two})
    small_world.apply()
    sandbox.unresolvable.add("lost.invalid.test")

    cures: dict[str, Any] = {
        "drops it": {"one": one},
        "disables its host": {"one": {**one, "enabled": False}},
        "deletes its host": {},
    }
    changed = {**two, "advanced_config": "client_max_body_size 9m;"}
    small_world.write({**cures[how], "two": changed, "three": three})
    small_world.apply()
    assert ("one" in small_world.npm.visit(domain("one"))[1]) is (how == "drops it")
    for name in ("two", "three"):
        assert name in small_world.npm.visit(domain(name))[1]
    small_world.assert_in_sync()


def test_a_foreign_fault_is_no_reason_to_take_a_site_down(
    broken: tuple[World, Sandbox], services: list[DemoService]
) -> None:
    world, sandbox = broken
    one, two, three = ({"upstream": toy.url} for toy in services)
    location = {"path": "/x", "upstream": services[1].url}
    world.write({"one": {**one, "locations": [location]}, "two": two, "three": three})
    assert world.call("apply", "--yes").code == 1
    assert not [path for _, path in sandbox.writes if path.endswith("/disable")]
    assert "one" in world.npm.visit(domain("one"))[1]
