"""What visitors find of written hosts, and what the state then says of their sites."""

from dataclasses import replace

import pytest

from proxysync.apply.checked import Checked, sites_seen
from proxysync.apply.order import Part, WriteStep
from proxysync.apply.outcome import ApplyError, WriteOutcome, attempt
from proxysync.apply.promise import Before, Promise, Trouble
from proxysync.kinds.proxy import PROXY
from proxysync.model import Key, Live
from proxysync.npm.errors import NpmError, NpmRejectedError, NpmUnconfirmedError
from proxysync.plan.model import Change
from proxysync.store.database import Database
from proxysync.store.edges import Sighting
from proxysync.store.journal import Row

KEY = Key("proxy", "site")
SITE = frozenset({"site.example"})


def live(port: int) -> Live:
    return Live(
        "proxy", 7, PROXY.complete({"domain_names": ["site.example"], "forward_port": port})
    )


OLD, NEW = live(1), live(2)
CHANGE = Change("update", KEY, 7, False, {}, "", NEW.fields, NEW.fields, OLD)
WRITTEN = WriteOutcome(CHANGE, NEW, promise=Promise(SITE), before=OLD)
REPAIR = replace(WRITTEN, before=NEW)
SERVED_BEFORE = replace(WRITTEN, promise=Promise(SITE, before=Before(SITE, SITE)))
WORSE, ABSENT = Trouble("answers HTTP 503"), Trouble("not served", undo=False)


@pytest.fixture
def row() -> Row:
    return Row(Database.__new__(Database), 1)


@pytest.mark.parametrize(
    ("outcome", "trouble", "undone"),
    [
        pytest.param(WRITTEN, None, False, id="as promised"),
        pytest.param(WRITTEN, WORSE, True, id="worse than before"),
        pytest.param(WRITTEN, ABSENT, False, id="no worse than before"),
        pytest.param(REPAIR, WORSE, False, id="nothing that did better"),
    ],
)
def test_only_what_did_better_comes_back(
    row: Row, outcome: WriteOutcome, trouble: Trouble | None, undone: bool
) -> None:
    checked = Checked(WriteStep(CHANGE), row, outcome, trouble)
    assert checked.to_undo == (trouble if undone else None)


@pytest.mark.parametrize(
    ("part", "outcome", "trouble", "told", "seen"),
    [
        pytest.param(Part.WHOLE, WRITTEN, None, set(), ("served", None), id="served"),
        pytest.param(Part.FINISH, WRITTEN, None, set(), ("served", None), id="moved"),
        pytest.param(Part.TAKE, WRITTEN, None, set(), None, id="on the way"),
        pytest.param(Part.WHOLE, WRITTEN, WORSE, set(), None, id="is put back"),
        pytest.param(Part.WHOLE, WRITTEN, ABSENT, set(), ("not_served", "not served"), id="absent"),
        pytest.param(
            Part.WHOLE, REPAIR, WORSE, set(), ("not_served", "answers HTTP 503"), id="still broken"
        ),
        pytest.param(Part.WHOLE, WRITTEN, None, {KEY}, ("served", None), id="back again"),
        pytest.param(Part.WHOLE, SERVED_BEFORE, None, {KEY}, ("unknown", None), id="was there"),
    ],
)
def test_what_is_known_of_the_site_of_a_step(
    row: Row,
    part: Part,
    outcome: WriteOutcome,
    trouble: Trouble | None,
    told: set[Key],
    seen: Sighting | None,
) -> None:
    checked = Checked(WriteStep(CHANGE, part), row, outcome, trouble)
    assert sites_seen([checked], told).get(KEY) == seen


@pytest.mark.parametrize(
    ("error", "is_fatal"),
    [
        pytest.param(ApplyError("refused", retry=False), False, id="refused by nginx"),
        pytest.param(NpmRejectedError("in use"), False, id="refused by NPM"),
        pytest.param(NpmUnconfirmedError("500", live=NEW), True, id="unconfirmed"),
        pytest.param(NpmError("away"), True, id="away"),
    ],
)
def test_only_an_npm_that_is_broken_ends_a_run(
    error: ApplyError | NpmError, is_fatal: bool
) -> None:
    def write() -> WriteOutcome:
        raise error

    outcome = attempt(CHANGE, write)
    assert outcome.error is not None
    assert outcome.error.message == error.message
    assert (outcome.fatal is error) is is_fatal
    assert outcome.live == (NEW if isinstance(error, NpmUnconfirmedError) else None)
    assert outcome.left is None


def test_a_host_is_left_as_written_or_as_it_was_put_back() -> None:
    assert WRITTEN.left == NEW
    assert WriteOutcome(CHANGE).left is None
    restored = ApplyError("refused", live=OLD, retry=False, restored=True)
    assert WriteOutcome(CHANGE, error=restored).left == OLD
    somebodys = ApplyError("changed in NPM", live=OLD, retry=True)
    assert WriteOutcome(CHANGE, error=somebodys).left is None


def test_what_no_check_of_health_looks_at_is_served_when_its_hosts_are(row: Row) -> None:
    change = replace(CHANGE, key=Key("access_list", "lan"))
    checked = Checked(WriteStep(change), row, replace(SERVED_BEFORE, change=change), None)
    assert sites_seen([checked], {change.key}) == {change.key: ("served", None)}
