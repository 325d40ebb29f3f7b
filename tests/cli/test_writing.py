"""What a person is asked before anything is written."""

import argparse

import pytest

from proxysync.app.plan import PlanResult
from proxysync.app.planning import Options, plan_from, read
from proxysync.cli import terminal
from proxysync.cli.writing import caller, confirm_in
from proxysync.config.load import load_text
from proxysync.model import Snapshot
from proxysync.model.errors import ProxysyncError


def found(*names: str) -> PlanResult:
    """A plan that creates these."""
    entries = "".join(
        f"  {name}: {{domains: [{name}.example.com], upstream: 'http://127.0.0.1:1'}}\n"
        for name in names
    )
    config = load_text(f"proxies:\n{entries}" if entries else "proxies: {}\n", "proxies.yaml", {})
    return PlanResult(plan_from(read(config, Options(), Snapshot(()), None)).plan, {}, {})


def arguments(*, yes: bool) -> argparse.Namespace:
    return argparse.Namespace(yes=yes, lock_timeout=1.0, format="text")


@pytest.mark.parametrize(
    ("names", "question"), [(["one"], "Apply 1 change?"), (["one", "two"], "Apply 2 changes?")]
)
def test_a_person_sees_the_plan_and_is_asked_once(
    names: list[str],
    question: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[str] = []

    def agree(text: str) -> bool:
        asked.append(text)
        return True

    monkeypatch.setattr(terminal, "confirm", agree)
    person = caller(arguments(yes=False), confirm_in("text"))
    assert person.confirm is not None
    assert person.confirm(found(*names))
    assert asked == [question]
    assert f"{len(names)} to create" in capsys.readouterr().out


def test_whoever_does_not_agree_has_cancelled_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "confirm", lambda _text: False)
    with pytest.raises(ProxysyncError) as caught:
        confirm_in("json")(found("one"))
    assert caught.value.message == "Cancelled."
    assert capsys.readouterr().out == "", "JSON alone goes to stdout"


def test_nobody_is_asked_where_there_is_nothing_to_do_or_with_yes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(terminal, "confirm", pytest.fail)
    nothing = found()
    assert nothing.plan.to_make == ()
    assert confirm_in("json")(nothing)
    assert caller(arguments(yes=True), confirm_in("text")).confirm is None
