"""What was applied, and the way back."""

import pytest

from proxysync.app.history import AppliedRun, history
from proxysync.app.history_run import run_details
from proxysync.cli.history import HEADS, SHRINK
from proxysync.cli.table import Cell, table
from proxysync.demo.services import DemoService
from tests.world import World, domain, eventually


@pytest.fixture
def changed(small_world: World, services: list[DemoService]) -> World:
    """Two entries; then one was updated, one renamed, one made and one deleted."""
    one, two, three = services
    small_world.write(
        {
            "one": {"upstream": one.url},
            "two": {"upstream": two.url},
            "gone": {"upstream": three.url},
        }
    )
    small_world.apply()
    small_world.write(
        {
            "one": {"upstream": two.url},
            "zwei": {"domains": [domain("two")], "upstream": two.url},
            "new": {"upstream": three.url},
        }
    )
    small_world.apply()
    return small_world


def definitions(world: World) -> dict[str, tuple[list[str], int]]:
    return {
        row["meta"]["proxysync"]["name"]: (row["domain_names"], row["forward_port"])
        for row in world.npm.hosts()
    }


def test_history_lists_what_was_applied_and_how_it_ended(changed: World) -> None:
    runs = changed.call("history", "--format", "json").json["runs"]
    assert [run["outcome"] for run in runs] == ["done", "done"]
    assert sorted((c["action"], c["name"]) for c in runs[0]["changes"]) == [
        ("create", "new"),
        ("delete", "gone"),
        ("update", "one"),
        ("update", "zwei"),
    ]
    assert "delete gone" in changed.call("history").out


@pytest.mark.parametrize("width", [200, 100, 80])
def test_history_fits_the_terminal_by_cutting_its_free_texts(width: int) -> None:
    rows = [
        ["12", "2026-01-31T12:00:00.000Z", "edit", "NPM cannot be reached " * 10, "update one"],
        ["11", "2026-01-31T11:00:00.000Z", "apply", "done", ", ".join(["create two"] * 5)],
    ]
    cells = [[Cell(text) for text in row] for row in rows]
    shown = table(HEADS, cells, width=width, shrink=SHRINK).splitlines()
    assert max(map(len, shown)) <= width
    assert [line.split()[:3] for line in shown[1:]] == [row[:3] for row in rows]
    assert shown[2].split()[3] == "done"
    whole = table(HEADS, cells, width=1000, shrink=SHRINK)
    assert all(text.strip() in whole for row in rows for text in row)


def test_rollback_shows_the_way_back_and_goes_it_with_yes(
    changed: World, services: list[DemoService]
) -> None:
    before = definitions(changed)
    shown = changed.call("rollback")
    assert shown.code == 1
    assert "nothing was written: nobody can be asked" in shown.err
    assert "--yes" in shown.err
    assert definitions(changed) == before

    done = changed.call("rollback", "--yes")
    assert done.code == 0, done.out
    one, two, three = services
    assert definitions(changed) == {
        "one": ([domain("one")], one.port),
        "two": ([domain("two")], two.port),
        "gone": ([domain("gone")], three.port),
    }
    assert changed.call("rollback", "2").code == 0
    assert changed.call("rollback", "99").code == 1


def test_the_daemon_holds_after_a_rollback_until_it_is_told_to_go_on(changed: World) -> None:
    assert changed.call("rollback", "--yes").code == 0
    rolled_back = definitions(changed)
    with changed.daemon():
        eventually(lambda: "daemon.held" in changed.event_names())
        assert definitions(changed) == rolled_back
        assert "rolled back to before run 2" in changed.call("plan").err
        assert changed.call("resume").out == "Resumed.\n"
        eventually(lambda: "new" in definitions(changed))
    assert "rolled back" not in changed.call("plan").err


def test_the_hold_ends_when_the_file_changes(changed: World, services: list[DemoService]) -> None:
    assert changed.call("rollback", "--yes").code == 0
    with changed.daemon():
        eventually(lambda: "daemon.held" in changed.event_names())
        changed.file.write_text(changed.file.read_text() + "# changed\n")
        eventually(lambda: "new" in definitions(changed))


def test_a_rollback_leaves_foreign_hosts_alone(changed: World) -> None:
    changed.npm.add_host(domain("foreign"))
    before = [row for row in changed.npm.hosts() if domain("foreign") in row["domain_names"]]
    assert changed.call("rollback", "1", "--yes", "--max-delete", "100%").code == 0
    assert [row for row in changed.npm.hosts() if row in before] == before
    assert len(changed.npm.hosts()) == 1, "all of ours are younger than the first run"


def test_without_a_history_there_is_nothing_to_roll_back(small_world: World) -> None:
    small_world.write({"one": {"upstream": "http://127.0.0.1:1"}})
    done = small_world.call("rollback")
    assert done.code == 1
    assert "nothing was applied yet" in done.err


def test_a_run_that_goes_on_is_under_way_and_one_that_was_cut_is_not(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[AppliedRun] = []

    def look(*_: object) -> None:
        seen.append(history(small_world.state, 5).runs[0])
        seen.append(run_details(small_world.state, seen[0].id).run)
        raise KeyboardInterrupt

    small_world.write({"one": {"upstream": services[0].url}}, settings={"verify": "auto"})
    monkeypatch.setattr("proxysync.apply.site_check.SiteCheck.check", look)
    small_world.call("apply", "--yes")
    assert [run.state for run in seen] == ["under way", "under way"]
    shown = small_world.call("history").out
    assert "under way" not in shown
    assert "interrupted" in shown
