"""`plan --against`: two versions of the file, without NPM, network, password or variable."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository import Repository
from tests.world import World

EVERY_KIND = """\
vars: {lan: "10.0.${NET}"}
defaults: {block_exploits: true, health: {interval: "${EVERY}"}}
proxies:
  media: {domains: [media.example.com], upstream: "http://${HOST}:${PORT}", access_list: lan}
  wiki:
    domains: wiki.example.com
    upstream: http://${lan}.1:80
    websockets: ${WEBSOCKETS}
    locations: [{path: /api, upstream: "http://10.0.0.6:9000/v1"}]
    advanced_config: "set $t ${TOKEN};"
redirections:
  blog: {domains: [blog.example.com], to: https://new.example.com}
not_found_hosts:
  parked: {domains: [parked.example.com]}
streams:
  game: {listen: "${GAME}", upstream: "10.0.0.5:25565"}
access_lists:
  lan: {rules: [{allow: 10.0.0.0/8}, {deny: all}], users: {alice: "${ALICE}"}}
certificates:
  wildcard: {certificate: tls/a.pem, key: tls/a.key}
"""


@pytest.fixture
def alone(small_world: World) -> World:
    """A repository with a file of every kind, and no word of where NPM is."""
    for name in [name for name in small_world.env if name.startswith("PROXYSYNC_NPM")]:
        del small_world.env[name]
    small_world.file.write_text(EVERY_KIND)
    Repository.start(small_world.folder).commit()
    return small_world


def edit(world: World, *replacements: tuple[str, str]) -> None:
    text = world.file.read_text()
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    world.file.write_text(text)


def plan(world: World, against: str = "HEAD", **env: str) -> Any:
    done = world.call("plan", "--against", against, "--format", "json", env=env)
    assert done.code == 0, done.err
    return done.json


def edits(shown: Any) -> dict[str, tuple[Any, Any]]:
    return {
        f"{change['name']}.{edit['path']}": (edit["from"], edit["to"])
        for change in shown["changes"]
        for edit in change["edits"]
    }


def test_a_file_is_as_it_was_though_no_variable_is_known(alone: World) -> None:
    done = alone.call("plan", "--against", "HEAD", "--detailed-exitcode")
    assert (done.code, done.out, done.err) == (0, "No changes: the file says what HEAD says.\n", "")


def test_each_kind_is_told_in_the_words_of_the_file(alone: World) -> None:
    edit(
        alone,
        ("${HOST}:${PORT}", "${HOST}:9000"),
        ("domains: wiki.example.com", "domains: [wiki.example.com, w.example.com]"),
        ("${WEBSOCKETS}", "true"),
        ("10.0.0.6:9000/v1", "10.0.0.6:9000/v2"),
        ("https://new.example.com", "https://newer.example.com"),
        ("[parked.example.com]", "[parked.example.com], force_ssl: true"),
        ('"${GAME}"', "25565"),
        ('{alice: "${ALICE}"}', '{alice: "${ALICE}", bob: keep}'),
        ("tls/a.pem", "tls/b.pem"),
    )
    assert edits(plan(alone)) == {
        "media.upstream": ("http://${HOST}:${PORT}", "http://${HOST}:9000"),
        "wiki.domains": (["wiki.example.com"], ["wiki.example.com", "w.example.com"]),
        "wiki.websockets": ("${WEBSOCKETS}", True),
        'wiki.locations["/api"].upstream': ("http://10.0.0.6:9000/v1", "http://10.0.0.6:9000/v2"),
        "blog.to": ("https://new.example.com", "https://newer.example.com"),
        "parked.force_ssl": (False, True),
        "game.listen": ("${GAME}", 25565),
        "lan.users.bob": (None, "keep"),
        "wildcard.certificate": ("tls/a.pem", "tls/b.pem"),
    }


def test_the_same_said_otherwise_is_no_change(alone: World) -> None:
    edit(
        alone,
        ("domains: wiki.example.com", "domains: [Wiki.Example.COM]"),
        ("block_exploits: true, ", "block_exploits: yes, "),
        ("http://10.0.0.6:9000/v1", "HTTP://10.0.0.6:9000/v1"),
        ("{domains: [parked.example.com]}", "{domains: [parked.example.com], enabled: true}"),
    )
    assert plan(alone)["changes"] == []


def test_entries_come_go_and_are_renamed_and_settings_change(alone: World) -> None:
    edit(
        alone,
        ("  media:", "  tv:"),
        ("  lan:", "  inside:"),
        ("  parked: {domains: [parked.example.com]}", "  other: {domains: [other.example.com]}"),
        ("vars:", "settings: {max_delete: 3}\nvars:"),
    )
    shown = plan(alone)
    assert {c["name"]: (c["action"], c["reason"], c["npm_id"]) for c in shown["changes"]} == {
        "tv": ("update", "renamed from media", None),
        "inside": ("update", "renamed from lan", None),
        "other": ("create", "new in the file", None),
        "parked": ("delete", "removed from the file", None),
    }
    assert shown["settings"] == [{"path": "max_delete", "from": "30%", "to": 3}]
    assert (shown["against"], shown["summary"]["unchanged"]) == ("HEAD", 4)
    text = alone.call("plan", "--against", "HEAD", "--detailed-exitcode")
    assert text.code == 2
    assert "~ settings: changed in the file\n    max_delete: 30% → 3\n" in text.out
    assert "- parked (parked.example.com): removed from the file\n" in text.out
    assert text.out.endswith("4 unchanged.\nCompared with HEAD; NPM was not asked.\n")
    markdown = alone.call("plan", "--against", "HEAD", "--format", "markdown").out
    assert markdown.startswith(
        "<!-- proxysync plan -->\n## proxysync plan\n\n<p>Compared with HEAD;"
    )
    assert "- max_delete: 30%\n+ max_delete: 3\n" in markdown


def test_max_delete_is_thought_of_though_nobody_asks_npm(alone: World) -> None:
    edit(
        alone,
        ("  parked: {domains: [parked.example.com]}", "  hub: {domains: [parked.example.com]}"),
        ("{domains: [blog.example.com], ", "{domains: [blog.example.com], enabled: false, "),
    )
    words = ("plan", "--against", "HEAD")
    assert "max_delete" not in alone.call(*words).err
    edit(alone, ("    websockets: ${WEBSOCKETS}\n", "    enabled: false\n"))
    done = alone.call(*words)
    assert done.code == 0
    assert "this takes down 2 of the 5 hosts of HEAD, and max_delete is 30%" in done.err


def test_a_variable_is_shown_as_its_value_and_a_secret_never(alone: World) -> None:
    env = {
        "PROXYSYNC_VAR_PORT": "8096",
        "PROXYSYNC_SECRET_TOKEN": "hunter2hunter",
        "PROXYSYNC_SECRET_ALICE": "wonderland",
    }
    edit(alone, ("${HOST}:${PORT}", "h:${PORT}"), ("set $t ${TOKEN};", "set $u ${TOKEN};"))
    assert edits(plan(alone, **env)) == {
        "media.upstream": ("http://${HOST}:8096", "http://h:8096"),
        "wiki.advanced_config": ("set $t ${TOKEN};", "set $u ${TOKEN};"),
    }
    edit(alone, ("set $u ${TOKEN};", "set $u hunter2hunter;"), ("${ALICE}", "${EVE}"))
    for style in ("text", "json", "markdown"):
        done = alone.call("plan", "--against", "HEAD", "--format", style, env=env)
        assert "${EVE}" in done.out
        assert "hunter2" not in done.out + done.err
        assert "wonderland" not in done.out + done.err


def test_what_is_wrong_with_the_file_is_told_but_for_what_a_variable_decides(alone: World) -> None:
    edit(
        alone,
        ("https://new.example.com", "ftp://new.example.com"),
        ("upstream: http://${lan}.1:80", "upsteam: http://${lan}.1:80"),
    )
    done = alone.call("plan", "--against", "HEAD")
    assert done.code == 1
    assert f"{alone.file}:7:5: proxies.wiki.upsteam: is not known here" in done.err
    assert "redirections.blog.to: " in done.err
    for unknown in ("PORT", "EVERY", "GAME", "WEBSOCKETS"):
        assert unknown not in done.err


def test_a_broken_version_can_be_put_right(alone: World) -> None:
    good = alone.file.read_text()
    repository = Repository(alone.folder)
    alone.file.write_text(good.replace("http://10.0.0.6:9000/v1", "nonsense"))
    repository.commit()
    alone.file.write_text(good)
    done = alone.call("plan", "--against", "HEAD")
    assert done.code == 0
    assert 'locations["/api"].upstream: nonsense → http://10.0.0.6:9000/v1\n' in done.out
    assert "Warning: HEAD is not valid: HEAD:proxies.yaml:" in done.err
    alone.file.write_text("proxies: {")
    repository.commit()
    alone.file.write_text(good)
    done = alone.call("plan", "--against", "HEAD")
    assert "8 to create" not in done.out
    assert "7 to create" in done.out
    assert "what cannot be read of it counts as missing" in done.err


def test_a_file_a_folder_and_any_revision_will_do(alone: World) -> None:
    repository = Repository(alone.folder)
    repository.git("tag", "before")
    copy, parts = alone.folder / "copy.yaml", alone.folder / "parts"
    paths = (str(copy), str(parts))
    copy.write_text(EVERY_KIND)
    parts.mkdir()
    sections = yaml.safe_load(EVERY_KIND)
    for number, (section, value) in enumerate(sections.items()):
        (parts / f"{number}.yaml").write_text(yaml.safe_dump({section: value}))
    commit = repository.commit()
    edit(alone, ("${HOST}:${PORT}", "${HOST}:1"))
    repository.commit()
    for against in ("before", commit, commit[:9], "HEAD~1", "main~1", *paths):
        assert list(edits(plan(alone, against))) == ["media.upstream"], against
    with_folder = {"PROXYSYNC_FILE": str(parts)}
    assert plan(alone, **with_folder)["changes"] == []
    (parts / "2.yaml").unlink()
    assert {c["action"] for c in plan(alone, **with_folder)["changes"]} == {"delete"}
    shown = alone.call("plan", "--against", "before", env=with_folder)
    assert f"Note: {parts} is not in before, so every entry is new." in shown.err


@pytest.mark.parametrize(
    "against", ["nowhere", "--output=/tmp/x", "-h", "^HEAD", "HEAD..HEAD", "", "HEAD:proxies.yaml"]
)
def test_what_is_no_version_is_a_sentence(alone: World, against: str) -> None:
    done = alone.call("plan", f"--against={against}")
    assert (done.code, done.out) == (1, "")
    assert "is neither a file nor a folder, nor a revision that git knows" in done.err
    assert "hint: " in done.err


def test_no_repository_and_no_git_are_sentences(alone: World, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "proxies.yaml"
    elsewhere.write_text(EVERY_KIND)
    done = alone.call("plan", "--against", "HEAD", env={"PROXYSYNC_FILE": str(elsewhere)})
    assert (done.code, "not a git repository" in done.err) == (1, True)
    done = alone.call("plan", "--against", "HEAD", env={"PATH": str(elsewhere.parent)})
    assert (done.code, "git cannot be run" in done.err) == (1, True)
    done = alone.call("plan", "--against", "HEAD", "--probe")
    assert (done.code, "--probe and --against were given" in done.err) == (1, True)


CONFIGURED = (
    "diff.evil.textconv",
    "filter.evil.smudge",
    "core.fsmonitor",
    "core.pager",
    "core.sshCommand",
    "diff.external",
    "alias.cat-file",
    "alias.rev-parse",
)


def test_nothing_that_the_repository_configures_is_run(alone: World) -> None:
    ran = alone.folder / "ran"
    script = alone.folder / "script"
    script.write_text(f'#!/bin/sh\ntouch {ran}\ncat "$1" 2>/dev/null\n')
    script.chmod(0o755)
    repository = Repository(alone.folder)
    for name in CONFIGURED:
        repository.git("config", name, str(script))
    (alone.folder / ".gitattributes").write_text("*.yaml diff=evil filter=evil\n")
    edit(alone, ("${HOST}:${PORT}", "${HOST}:1"))
    assert list(edits(plan(alone))) == ["media.upstream"]
    assert not ran.exists()


def test_nothing_is_fetched_for_a_clone_that_is_not_whole(alone: World) -> None:
    origin = Repository(alone.folder)
    edit(alone, ("${HOST}:${PORT}", "${HOST}:1"))
    origin.commit()
    origin.git("config", "uploadpack.allowFilter", "true")
    source, partial = f"file://{alone.folder}", alone.folder / "partial"
    origin.git("clone", "--quiet", "--filter=blob:none", source, str(partial))
    done = alone.call(
        "plan", "--against", "HEAD~1", env={"PROXYSYNC_FILE": str(partial / "proxies.yaml")}
    )
    assert done.code == 1
    assert "HEAD~1:proxies.yaml is not in this clone\n  hint: " in done.err
    assert Repository(partial).git("cat-file", "-t", "HEAD~1:proxies.yaml") == "blob"


def test_in_a_hook_of_git_the_repository_is_that_of_the_file(alone: World, tmp_path: Path) -> None:
    shown = plan(alone, GIT_DIR=str(tmp_path / "other"), GIT_INDEX_FILE=str(tmp_path / "index"))
    assert shown["changes"] == []
