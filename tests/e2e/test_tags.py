"""One file for several NPMs: each has the entries with its tags, and nothing of the others'."""

from pathlib import Path

import pytest

from proxysync.app.edit import Editor
from proxysync.app.placing import EntryError
from proxysync.model import Key
from proxysync.sandbox import Sandbox
from tests.conftest import in_sandbox
from tests.world import World, domain

UPSTREAM = "http://127.0.0.1:1"
OFF = {"validation": {"mode": "off"}, "health": {"interval": "1h"}}


def entry(*tags: str, **more: object) -> dict[str, object]:
    return {"upstream": UPSTREAM, "tags": list(tags), **more}


FILE = {
    "both": entry("nas", "edge"),
    "here": entry("nas", access_list="lan"),
    # The same domain elsewhere, and a variable that is handed over there only.
    "there": entry("edge", domains=[domain("here")], advanced_config="# ${ONLY_THERE}"),
    "nowhere": {"upstream": UPSTREAM},
}
LISTS = {"lan": {"rules": [{"allow": "10.0.0.0/8"}]}, "other": {"rules": [{"deny": "all"}]}}


def world_of(sandbox: Sandbox, folder: Path, file: Path, **env: str) -> World:
    folder.mkdir()
    world = World(folder, in_sandbox(sandbox))
    world.file = file
    world.env |= {"PROXYSYNC_FILE": str(file), **env}
    return world


@pytest.mark.timeout(60)
def test_each_npm_takes_only_what_is_tagged_for_it(tmp_path: Path) -> None:
    file = tmp_path / "proxies.yaml"
    with Sandbox() as one, Sandbox() as two:
        nas = world_of(one, tmp_path / "nas", file, PROXYSYNC_TAGS="nas")
        edge = world_of(
            two,
            tmp_path / "edge",
            file,
            PROXYSYNC_TAGS="edge, cloud",
            PROXYSYNC_VAR_ONLY_THERE="x",
        )
        cloud = {"cloud": entry("cloud")}
        nas.write({**FILE, **cloud}, settings=OFF, access_lists=LISTS)
        done = nas.call("validate")
        assert done.code == 0, done.err
        assert "3 of 7 entries, by --tags or PROXYSYNC_TAGS: nas" in done.err
        nas.apply()
        edge.apply()
        assert [host["domain_names"] for host in nas.npm.hosts()] == [
            [domain("both")],
            [domain("here")],
        ]
        assert len(nas.npm.call("GET", "/nginx/access-lists")) == 1
        assert edge.npm.host("there")["domain_names"] == [domain("here")]
        assert not edge.npm.call("GET", "/nginx/access-lists")
        nas.assert_in_sync()
        assert "both" in nas.call("status").out
        assert "there" not in nas.call("status").out
        assert "3 of 7 entries" in nas.call("doctor").out
        assert nas.call("plan", "--tags", "nowhere").code == 1

        # A tag that is taken away is an entry that has left, and max_delete counts it.
        nas.write({**FILE, **cloud, "both": entry("edge")}, settings=OFF, access_lists=LISTS)
        assert [(c["action"], c["name"]) for c in nas.plan()["changes"]] == [("delete", "both")]
        edge.assert_in_sync()
        nas.write({**FILE, "both": entry(), "here": entry()}, settings=OFF, access_lists=LISTS)
        for world, tag in ((nas, "nas"), (edge, "cloud")):
            refused = world.call("apply", "--yes")
            assert refused.code == 1
            assert (
                f"no entry of the file has the tag {tag}, which --tags or PROXYSYNC_TAGS"
                in refused.out
            )
            assert f"no entry has the tag {tag}" in world.call("doctor").out
        assert len(nas.npm.hosts()) == 2
        assert nas.call("apply", "--yes", "--max-delete", "100%").code == 0
        assert nas.npm.hosts() == []


def test_an_import_gives_each_entry_the_tags_of_this_npm(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        world = world_of(sandbox, tmp_path / "w", tmp_path / "proxies.yaml", PROXYSYNC_TAGS="nas")
        world.npm.add_host(domain("old"))
        done = world.call("import", "-o", str(world.file))
        assert "Adopting these changes nothing." in done.err
        assert "tags: [nas]" in world.file.read_text()
        assert [c["action"] for c in world.plan()["changes"]] == ["conflict"]


def test_a_name_that_another_npm_has_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "proxies.yaml"
    before = (
        f"proxies:\n  two: {{domains: [{domain('two')}], upstream: {UPSTREAM}, tags: [edge]}}\n"
    )
    file.write_text(before + f"  one: {{domains: [{domain('one')}], upstream: {UPSTREAM}}}\n")
    editor = Editor(file, {}, tags=("nas",), probe=False)
    fields = {"domains": [domain("new")], "upstream": UPSTREAM, "tags": ["nas"]}
    with pytest.raises(EntryError, match="there is a proxy named two already") as refused:
        editor.put(Key("proxy", "two"), fields, new=True)
    assert "another NPM" in str(refused.value)
    assert file.read_text().startswith(before)


def test_tags_that_cannot_be_meant_are_an_error(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        world = world_of(sandbox, tmp_path / "w", tmp_path / "proxies.yaml")
        world.write({"one": {"upstream": UPSTREAM, "tags": "nas"}, "two": entry("not good")})
        for words in ((), ("--tags", "nas")):
            done = world.call("validate", *words)
            assert "proxies.one.tags: must be a list such as [nas, edge]" in done.err
            assert "proxies.two.tags" in done.err
            assert done.code == 1
        done = world.call("plan", "--tags", "nas;edge")
        assert "--tags or PROXYSYNC_TAGS: " in done.err
        assert "with commas between" in done.err


def test_a_person_asks_for_some_entries_and_sees_what_is_noted_of_them(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        world = world_of(sandbox, tmp_path / "w", tmp_path / "proxies.yaml")
        note = "Anna's <b>box</b>;\nask her"
        file = {"one": {**entry("nas"), "note": note}, "two": entry("edge")}
        world.write(file, settings=OFF, not_found_hosts={"gone": {"domains": [domain("gone")]}})
        world.apply()
        assert note.split(";", maxsplit=1)[0] not in str(sandbox_rows(world))

        def shown(*words: str) -> list[str]:
            found = world.call("status", "--format", "json", *words).json["proxies"]
            return [entry["name"] for entry in found]

        assert shown("--tag", "nas") == ["one"]
        assert shown("--kind", "not_found_host") == ["gone"]
        assert shown("--kind", "proxy", "--tag", "edge") == ["two"]
        [one] = world.call("status", "one", "--format", "json").json["proxies"]
        assert (one["note"], one["tags"]) == (note, ["nas"])
        assert "Anna's <b>box</b>; ask her" in world.call("status", "one").out
        done = world.call("validate", "--no-probe", "--tag", "nas", "--format", "json")
        assert [result["name"] for result in done.json["results"]] == ["one"]
        for command in ("status", "validate"):
            done = world.call(command, "--tag", "naz")
            assert done.code == 1
            assert "did you mean nas?" in done.err
            assert "invalid choice" in world.call(command, "--kind", "proxies").err
        world.write({"one": {**entry(), "note": "x" * 2001}})
        assert "proxies.one.note: has more than 2,000 characters" in world.call("plan").err


def sandbox_rows(world: World) -> list[object]:
    return [world.npm.call("GET", f"/nginx/{kind}") for kind in ("proxy-hosts", "dead-hosts")]
