"""Each use case returns a value: the command prints its JSON, and any other door may send it."""

from contextlib import closing
from typing import Any

import pytest

from proxysync.app.apply_once import Caller, apply_once
from proxysync.app.events import events
from proxysync.app.history import history
from proxysync.app.look import LookNow
from proxysync.app.plan import PlanResult, plan
from proxysync.app.resume import ResumeResult, resume
from proxysync.app.rollback import read_file, roll_back_once
from proxysync.app.state_folder import read_folder
from proxysync.app.status_view import StatusView
from proxysync.app.validate import check_file, validate
from proxysync.demo.services import DemoService
from proxysync.model.errors import ProxysyncError
from proxysync.store.query import EventQuery
from tests.app.conftest import Door

SECRET = "hunter2-and-more"
DURATIONS = ("duration_ms", "latency_ms")


def steady(value: Any) -> Any:
    """The same without what differs from one look to the next."""
    if isinstance(value, dict):
        return {k: steady(v) for k, v in value.items() if k not in DURATIONS}
    return [steady(item) for item in value] if isinstance(value, list) else value


def write(door: Door, services: list[DemoService], closed_port: int) -> None:
    """One entry that works, with a secret in it, and one that fails validation."""
    door.world.env["PROXYSYNC_SECRET_TOKEN"] = SECRET
    door.world.write(
        {
            "one": {
                "upstream": services[0].url,
                "advanced_config": "proxy_set_header X-Token ${TOKEN};",
            },
            "two": {"upstream": f"http://127.0.0.1:{closed_port}"},
        }
    )


@pytest.mark.parametrize("probe", [False, True])
def test_a_plan(door: Door, services: list[DemoService], closed_port: int, probe: bool) -> None:
    write(door, services, closed_port)
    with closing(read_folder(door.env.state_dir)) as stored:
        found = plan(door.config(), door.npm, stored, door.npm.snapshot(), probe=probe)
    words = ["--probe"] if probe else []
    assert found.to_json() == door.world.call("plan", "--format", "json", *words).json
    assert found.to_json()["summary"]["blocked"] == int(probe)
    for shown in (str(found.to_json()), found.to_text(colour=False), found.to_markdown()):
        assert "${TOKEN}" in shown
        assert SECRET not in shown
    assert SECRET not in repr(found.notes)


def test_a_validation(door: Door, services: list[DemoService], closed_port: int) -> None:
    write(door, services, closed_port)
    found = validate(door.config())
    assert not found.ok
    command = door.world.call("validate", "--format", "json")
    assert steady(found.to_json()) == steady(command.json)
    assert [v.name for v in validate(door.config(), ["one"]).verdicts] == ["one"]
    looked_at = check_file(door.config())
    command = door.world.call("validate", "--no-probe", "--format", "json")
    assert looked_at.to_json() == command.json
    assert looked_at.total == 2


def test_an_apply_and_what_is_known_afterwards(
    door: Door, services: list[DemoService], closed_port: int
) -> None:
    write(door, services, closed_port)
    done = apply_once(door.config(), door.npm, door.env)
    assert not done.ok
    shown = done.to_json()
    assert [o["result"] for o in shown["outcomes"]] == ["done"]
    assert [v["name"] for v in shown["validation"] if v["blocks"]] == ["two"]
    assert shown.keys() == door.world.call("apply", "--yes", "--format", "json").json.keys()

    found = history(door.env.state_dir, 10)
    assert found.to_json() == door.world.call("history", "--format", "json").json
    assert [run.trigger for run in found.runs] == ["apply"]
    page = events(door.env.state_dir, EventQuery())
    assert page.to_json() == door.world.call("events", "--format", "json").json
    assert {"proxy.created", "proxy.blocked"} <= {event.event for event in page.events}
    with closing(StatusView(door.config, LookNow(lambda: door.npm), door.env.state_dir)) as view:
        status = view.read()
    assert untimed(status.to_json()) == untimed(door.world.call("status", "--format", "json").json)
    assert [entry.sync for entry in status.entries] == ["in sync", "blocked"]
    for value in (shown, found.to_json(), page.to_json(), status.to_json()):
        assert SECRET not in str(value)


def untimed(status: dict[str, Any]) -> dict[str, Any]:
    """Without what is another a second later."""
    left_out = {"uptime_known_seconds", "health_valid_until"}
    shown = [{k: v for k, v in p.items() if k not in left_out} for p in status["proxies"]]
    return {**status, "proxies": shown}


def test_what_was_agreed_to_is_carried_out_or_nothing(
    door: Door, services: list[DemoService]
) -> None:
    door.world.write({"one": {"upstream": services[0].url}})
    asked: list[PlanResult] = []

    def refuse(found: PlanResult) -> bool:
        asked.append(found)
        return False

    def agree_too_late(found: PlanResult) -> bool:
        door.world.npm.add_host("other.proxysync-test.example")
        door.world.npm.add_host("one.proxysync-test.example")
        return True

    done = apply_once(door.config(), door.npm, door.env, caller=Caller(confirm=refuse))
    assert done.only_shown
    assert [found.plan for found in asked] == [done.plan]
    assert door.world.npm.hosts() == []
    with pytest.raises(ProxysyncError, match="changed since the plan was shown"):
        apply_once(door.config(), door.npm, door.env, caller=Caller(confirm=agree_too_late))
    assert len(door.world.npm.hosts()) == 2


def test_a_rollback_holds_until_it_is_resumed(door: Door, services: list[DemoService]) -> None:
    door.world.write({"one": {"upstream": services[0].url}})
    assert apply_once(door.config(), door.npm, door.env).ok
    file = read_file(door.env, door.world.env)
    done = roll_back_once(file, door.npm, door.env)
    assert done.ok
    assert [o["action"] for o in done.to_json()["outcomes"]] == ["delete"]
    assert door.world.npm.hosts() == []
    with pytest.raises(ProxysyncError, match="rolled back to before run 1"):
        apply_once(door.config(), door.npm, door.env)
    assert resume(door.env.state_dir) == ResumeResult(held=True, another_writer=False, paused=False)
    assert set(resume(door.env.state_dir).to_json().values()) == {False}
    assert apply_once(door.config(), door.npm, door.env).ok
