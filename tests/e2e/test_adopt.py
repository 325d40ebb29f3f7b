"""Taking over hosts that somebody else made."""

from proxysync.demo.services import DemoService
from tests.world import World, domain


def test_a_foreign_host_is_taken_over_and_keeps_its_id(
    world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    theirs = world.npm.add_host(domain("one"), port=two.port, meta={"letter": "kept"})
    untouched = world.npm.add_host(domain("other"))
    world.write({"one": {"upstream": one.url}, "new": {"upstream": two.url}})
    plan = world.call("plan")
    assert "proxysync adopt one" in plan.out

    done = world.run("adopt", "one", "--yes")
    assert done.code == 0, done.out + done.err
    row = world.npm.host("one")
    assert (row["id"], row["forward_port"], row["meta"]["letter"]) == (
        theirs["id"],
        one.port,
        "kept",
    )
    assert untouched in world.npm.hosts()
    assert len(world.npm.hosts()) == 2, "adopt makes nothing new"
    world.apply()
    world.assert_in_sync()


def test_adopt_needs_a_name_of_the_file_or_all(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.npm.add_host(domain("one"))
    small_world.write({"one": {"upstream": services[0].url}})
    assert small_world.call("adopt", "--yes").code == 1
    assert "no entry named nobody" in small_world.call("adopt", "nobody", "--yes").err
    assert small_world.call("adopt", "--all", "--yes").code == 0
    small_world.assert_in_sync()


def test_a_host_of_another_type_cannot_be_adopted(
    small_world: World, services: list[DemoService]
) -> None:
    assert small_world.npm.sandbox is not None
    small_world.npm.sandbox.add_redirection_host([domain("one")])
    small_world.write({"one": {"upstream": services[0].url}})
    done = small_world.call("adopt", "one", "--yes")
    assert done.code == 1
    assert "redirection host" in done.out


def test_a_takeover_takes_along_what_frees_the_domains_that_it_needs(
    world: World, services: list[DemoService]
) -> None:
    one, two, three = services
    a, b, c, d = (domain(name) for name in "abcd")
    world.write(
        {
            "two": {"domains": [b, c], "upstream": two.url},
            "three": {"domains": [d], "upstream": three.url},
        }
    )
    world.apply()
    world.npm.add_host(a, port=three.port)
    world.write(
        {
            "one": {"domains": [a, b], "upstream": one.url},
            "two": {"domains": [c, d], "upstream": two.url},
            "three": {"domains": [domain("e")], "upstream": three.url},
            "new": {"domains": [domain("f")], "upstream": three.url},
        }
    )
    done = world.call("adopt", "one", "--yes")
    assert done.code == 0, done.out + done.err
    hosts = {row["meta"]["proxysync"]["name"]: row["domain_names"] for row in world.npm.hosts()}
    assert hosts == {"one": [a, b], "two": [c, d], "three": [domain("e")]}
