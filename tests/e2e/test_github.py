"""`--format github`: what is wrong stands at its line of the pull request; orders are ours only."""

import re
from pathlib import Path

import pytest

from proxysync.demo.services import DemoService
from tests.world import World, domain

ORDER = re.compile(r"::(error|warning|notice)(?: file=([^,:]+)(?:,line=(\d+),col=(\d+))?)?::(.*)")


def orders(text: str) -> list[tuple[str, ...]]:
    """All that GitHub would carry out: level, file, line, column, message."""
    found = [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert "##[" not in text
    matches = [ORDER.fullmatch(line) for line in found]
    assert None not in matches, found
    return [match.groups("") for match in matches if match]


def test_each_problem_of_the_file_stands_at_its_line(small_world: World) -> None:
    small_world.file.write_text(
        "proxies:\n  one:\n    domains: [a.example.com]\n    upsteam: http://10.0.0.1\n"
        '  "100%,::error::":\n    domains: [b.example.com]\n    upstream: ftp://x\n'
    )
    for words in (["validate"], ["validate", "--no-probe"], ["validate", "--offline"], ["plan"]):
        done = small_world.call(*words, "--format", "github")
        assert done.code == 1
        levels, files, lines, columns, messages = zip(*orders(done.out), strict=True)
        assert set(levels) == {"error"}
        assert set(files) == {str(small_world.file)}
        assert ("4", "5") in zip(lines, columns, strict=True)
        assert any(m == "proxies.one.upsteam: is not known here%0Adid you mean upstream?"
                   for m in messages)  # fmt: skip
        assert any('proxies["100%25,::error::"]' in message for message in messages)
        assert orders(done.err) == []


def test_what_fails_validation_is_an_error_at_its_entry(
    small_world: World, services: list[DemoService], closed_port: int
) -> None:
    closed = f"http://127.0.0.1:{closed_port}"
    small_world.file.write_text(
        f"settings: {{verify: 'off'}}\nproxies:\n"
        f"  good: {{domains: [{domain('good')}], upstream: '{services[0].url}'}}\n"
        f"  bad: {{domains: [{domain('bad')}], upstream: '{closed}'}}\n"
        f"  warned:\n    domains: [{domain('warned')}]\n    upstream: '{closed}'\n"
        "    validation: {mode: warn}\n"
    )
    done = small_world.call("validate", "--format", "github")
    assert done.code == 1
    (bad, warned) = orders(done.out)
    assert bad[:4] == ("error", str(small_world.file), "4", "3")
    assert bad[4].startswith(f"bad: tcp check of {closed} failed: ")
    assert "%0APort" in bad[4]
    assert warned[:3] == ("warning", str(small_world.file), "5")
    assert "1 of 3 entries pass" in done.out
    shown = orders(small_world.call("plan", "--probe", "--format", "github").out)
    assert [(each[0], each[2]) for each in shown] == [
        ("warning", "4"), ("notice", "3"), ("notice", "5")
    ]  # fmt: skip
    assert shown[1][4] == f"+ good ({domain('good')}): not in NPM%0A" + "%0A".join(
        (f"    domains: [{domain('good')}]", f"    upstream: {services[0].url}")
    )


def test_a_change_stands_at_its_entry_and_a_conflict_is_an_error(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.npm.add_host(domain("taken"))
    small_world.write({name: {"upstream": services[0].url} for name in ("new", "taken")})
    done = small_world.call("plan", "--format", "github")
    lines = small_world.file.read_text().splitlines()
    assert [(each[0], lines[int(each[2]) - 1].strip()) for each in orders(done.out)] == [
        ("error", "taken:"),
        ("notice", "new:"),
    ]


def test_what_has_no_place_is_an_order_without_one(small_world: World) -> None:
    small_world.write({})
    done = small_world.call("plan", "--format", "github", env={"PROXYSYNC_NPM_SECRET": "wrong-one"})
    ((level, file, *_, message),) = orders(done.out)
    assert (level, file, done.code) == ("error", "", 1)
    assert "does not accept" in message


def test_words_of_others_give_no_orders_and_no_secret_is_in_ours(
    small_world: World, tmp_path: Path
) -> None:
    evil = "a\\n::error::x\\r\\n::add-mask::y %0A::stop-commands::z ##[error]"
    other = tmp_path / "other.yaml"
    other.write_text("proxies: {}\n")
    small_world.file.write_text(
        f"proxies:\n  one:\n    domains: [a.example.com]\n    upstream: http://10.0.0.1\n"
        f'    advanced_config: "# {evil}\\n# ${{TOKEN}} its:secret,50%"\n'
    )
    env = {"PROXYSYNC_SECRET_TOKEN": "its:secret,50%"}
    done = small_world.call("plan", f"--against={other}", "--format", "github", env=env)
    assert done.code == 0, done.err
    found = [line for line in done.out.splitlines() if line.startswith("::")]
    assert len(found) == 1
    assert found[0].startswith(f"::notice file={small_world.file},line=2,col=3::+ one")
    assert "%0A      + ::error::x" in found[0]
    assert "%250A" in found[0]
    assert "its" not in found[0]
    assert "its:secret" not in done.out
    others = [line for line in done.out.splitlines() if line not in found]
    assert not [line for line in others if line.lstrip().startswith("::") or "##[" in line]


def test_offline_needs_neither_variables_nor_files(small_world: World) -> None:
    small_world.file.write_text(
        "proxies:\n  one: {domains: [a.example.com], upstream: 'http://${HOST}:${PORT}'}\n"
        "certificates:\n  own: {certificate: own.pem, key: own.key}\n"
    )
    done = small_world.call("validate", "--offline")
    assert (done.code, done.out) == (0, f"{small_world.file} is valid: 2 entries\n")
    results = small_world.call("validate", "--offline", "one", "--format", "json").json["results"]
    assert results == [{"kind": "proxy", "name": "one", "ok": True, "steps": []}]
    assert small_world.call("validate", "--no-probe").code == 1
    assert small_world.call("validate", "--offline", "two").code == 1


@pytest.mark.parametrize("style", ["text", "json", "markdown"])
def test_no_other_style_gives_orders(small_world: World, style: str) -> None:
    small_world.write({"one": {"upstream": "http://10.0.0.1"}})
    assert orders(small_world.call("plan", "--format", style).out) == []
