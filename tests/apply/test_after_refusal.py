"""What is done with a host whose new definition is refused: the table, case by case."""

import pytest

from proxysync.apply.after_refusal import (
    AfterRefusal,
    DeleteHost,
    LeaveHost,
    RestoreHost,
    after_refusal,
    after_rehearsal,
)
from proxysync.kinds.proxy import PROXY
from proxysync.model import Applied, Fields, Key, Live


def fields(port: int) -> Fields:
    return PROXY.complete({"domain_names": ["site.example"], "forward_port": port})


OLD, NEW, WORKED = fields(1), fields(2), fields(3)


def live(now: Fields, *, online: bool | None = True) -> Live:
    return Live("proxy", 7, now, online=online)


def applied(last: Fields) -> Applied:
    return Applied(Key("proxy", "site"), 7, last)


GONE = DeleteHost("the host had never worked and was removed again")
NOTHING_KNOWN = LeaveHost("it was offline before, and nothing is known that worked")
UNTOUCHED = LeaveHost("the live host was not touched")


@pytest.mark.parametrize(
    ("before", "last", "action"),
    [
        pytest.param(None, None, DeleteHost("the new host was removed again"), id="new"),
        pytest.param(live(OLD), None, RestoreHost(OLD), id="was online"),
        pytest.param(live(OLD), applied(WORKED), RestoreHost(OLD), id="online, though edited"),
        pytest.param(live(OLD, online=False), applied({}), GONE, id="never worked"),
        pytest.param(live(OLD, online=False), None, NOTHING_KNOWN, id="offline and not ours yet"),
        pytest.param(live(OLD, online=False), applied(NEW), NOTHING_KNOWN, id="just the same"),
        pytest.param(
            live(OLD, online=False), applied(WORKED), RestoreHost(WORKED), id="worked once"
        ),
        pytest.param(live(OLD, online=None), applied(WORKED), RestoreHost(WORKED), id="not judged"),
    ],
)
def test_a_refused_host_gets_back_what_worked(
    before: Live | None, last: Applied | None, action: AfterRefusal
) -> None:
    assert after_refusal(live(NEW, online=False), before, last) == action


def test_half_of_a_domain_move_is_not_what_comes_back() -> None:
    now, half = live(NEW, online=False), live(OLD)
    assert after_refusal(now, half, None, WORKED) == RestoreHost(WORKED)


@pytest.mark.parametrize(
    ("before", "last", "action"),
    [
        pytest.param(None, None, UNTOUCHED, id="new"),
        pytest.param(live(OLD), applied(WORKED), UNTOUCHED, id="was online"),
        pytest.param(
            live(OLD, online=False), applied(WORKED), RestoreHost(WORKED), id="broken already"
        ),
        pytest.param(live(OLD, online=False), applied(OLD), NOTHING_KNOWN, id="always broken"),
    ],
)
def test_after_a_rehearsal_only_a_broken_host_is_touched(
    before: Live | None, last: Applied | None, action: AfterRefusal
) -> None:
    assert after_rehearsal(before, last) == action
