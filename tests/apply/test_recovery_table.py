"""What becomes of a write that proxysync was killed at: the table, case by case."""

from dataclasses import replace

import pytest

from proxysync.apply.promise import Before, Promise, Trouble
from proxysync.apply.recovery_table import (
    RecoveryAction,
    after_site_check,
    canaries_of,
    decide,
    find_host,
    promise_of,
    take_back,
)
from proxysync.kinds.proxy import PROXY
from proxysync.model import Fields, Live, Marker, Snapshot
from proxysync.store.journal import JournalEntry
from tests.keys import key

MARKER = Marker("site", "default", state="ours")


def fields(port: int, *, enabled: bool = True) -> Fields:
    row = {"domain_names": ["site.example"], "forward_port": port, "enabled": enabled}
    return PROXY.complete(row)


OLD, NEW, OTHER = fields(1), fields(2), fields(3)
OLD_OFF, NEW_OFF = fields(1, enabled=False), fields(2, enabled=False)

UPDATE = JournalEntry(
    id=1,
    run_id=1,
    key=key("site"),
    old_name="site",
    action="update",
    npm_id=7,
    created_on="then",
    before=OLD,
    after=NEW,
    instance="default",
)
CREATE = replace(UPDATE, action="create", npm_id=None, created_on=None, before=None)
DELETE = replace(UPDATE, action="delete", after=None)
ADOPT = replace(UPDATE, action="adopt")
TURN_OFF = replace(UPDATE, after=OLD_OFF)
CHANGE_OFF = replace(UPDATE, before=OLD_OFF, after=NEW_OFF)
RELEASE = replace(UPDATE, action="release", after=OLD)
ADOPT_OFF = replace(ADOPT, before=OLD_OFF, after=NEW_OFF)


def live(
    now: Fields, *, online: bool | None = True, marker: Marker | None = MARKER, npm_id: int = 7
) -> Live:
    return Live("proxy", npm_id, now, marker, created_on="then", online=online)


@pytest.mark.parametrize(
    ("entry", "now", "action"),
    [
        pytest.param(DELETE, None, RecoveryAction.RELOAD_NGINX, id="deleted"),
        pytest.param(DELETE, live(OLD), RecoveryAction.LEAVE, id="not deleted yet"),
        pytest.param(
            DELETE, live(OTHER), RecoveryAction.WRITE_AGAIN, id="not deleted, and edited since"
        ),
        pytest.param(CREATE, None, RecoveryAction.LEAVE, id="never created"),
        pytest.param(UPDATE, None, RecoveryAction.LEAVE, id="somebody deleted it since"),
        pytest.param(
            CREATE, live(NEW, online=False), RecoveryAction.DELETE_NEW, id="new and refused"
        ),
        pytest.param(
            CREATE, live(OTHER, online=False), RecoveryAction.DELETE_NEW, id="and edited since"
        ),
        pytest.param(
            UPDATE, live(NEW, online=False), RecoveryAction.RESTORE, id="changed and refused"
        ),
        pytest.param(
            UPDATE, live(OTHER, online=False), RecoveryAction.WRITE_AGAIN, id="another's fault"
        ),
        pytest.param(UPDATE, live(OLD), RecoveryAction.LEAVE, id="never arrived"),
        pytest.param(
            UPDATE, live(OLD, online=None), RecoveryAction.LEAVE, id="never arrived, not judged"
        ),
        pytest.param(CREATE, live(NEW), RecoveryAction.CHECK_SITE, id="created and online"),
        pytest.param(UPDATE, live(NEW), RecoveryAction.CHECK_SITE, id="changed and online"),
        pytest.param(ADOPT, live(NEW), RecoveryAction.CHECK_SITE, id="adopted and online"),
        pytest.param(
            UPDATE, live(NEW, online=None), RecoveryAction.WRITE_AGAIN, id="nginx not asked yet"
        ),
        pytest.param(
            UPDATE, live(OTHER), RecoveryAction.WRITE_AGAIN, id="neither the one nor the other"
        ),
        pytest.param(
            TURN_OFF, live(OLD_OFF), RecoveryAction.WRITE_AGAIN, id="off, nobody knows for nginx"
        ),
        pytest.param(TURN_OFF, live(OLD), RecoveryAction.LEAVE, id="not off yet"),
        pytest.param(CHANGE_OFF, live(OLD_OFF), RecoveryAction.WRITE_AGAIN, id="off as before"),
        pytest.param(
            CHANGE_OFF, live(NEW_OFF), RecoveryAction.WRITE_AGAIN, id="off with its new fields"
        ),
        pytest.param(
            CHANGE_OFF,
            live(NEW_OFF, online=False),
            RecoveryAction.WRITE_AGAIN,
            id="off, once refused",
        ),
        pytest.param(ADOPT, live(OLD, marker=None), RecoveryAction.LEAVE, id="not adopted yet"),
        pytest.param(
            ADOPT_OFF, live(OLD_OFF, marker=None), RecoveryAction.LEAVE, id="off and theirs"
        ),
        pytest.param(
            ADOPT_OFF, live(OLD_OFF), RecoveryAction.WRITE_AGAIN, id="off and marked as ours"
        ),
        pytest.param(RELEASE, live(OLD), RecoveryAction.RELEASE, id="not given back yet"),
        pytest.param(
            RELEASE, live(OTHER, marker=None), RecoveryAction.RELEASE, id="given back and changed"
        ),
        pytest.param(RELEASE, None, RecoveryAction.LEAVE, id="to be given back, and gone"),
        pytest.param(
            replace(RELEASE, after=NEW), live(OLD), RecoveryAction.LEAVE, id="not as it was yet"
        ),
    ],
)
def test_each_case_has_its_action(
    entry: JournalEntry, now: Live | None, action: RecoveryAction
) -> None:
    assert decide(entry, now, MARKER) is action


@pytest.mark.parametrize(
    ("entry", "trouble", "action"),
    [
        (UPDATE, None, RecoveryAction.RECORD),
        (UPDATE, Trouble("not served yet", undo=False), RecoveryAction.RECORD),
        (UPDATE, Trouble("answered before"), RecoveryAction.RESTORE),
        (CREATE, Trouble("open to strangers"), RecoveryAction.DELETE_NEW),
    ],
)
def test_what_visitors_find_decides_the_rest(
    entry: JournalEntry, trouble: Trouble | None, action: RecoveryAction
) -> None:
    assert after_site_check(entry, trouble) is action


def test_what_had_nothing_before_it_is_deleted_and_all_else_restored() -> None:
    assert take_back(CREATE) is RecoveryAction.DELETE_NEW
    assert take_back(UPDATE) is RecoveryAction.RESTORE


def test_visitors_are_asked_only_for_what_they_could_have_lost() -> None:
    assert promise_of(UPDATE, live(NEW)) is None
    site = frozenset({"site.example"})
    responding = replace(UPDATE, responding=site | {"gone.example"})
    promise = promise_of(responding, live(NEW))
    assert promise is not None
    assert promise == Promise(site, before=Before(site, site), written=promise.written)
    protected = promise_of(replace(UPDATE, protected=True), live(NEW))
    assert protected is not None
    assert protected.protected
    assert protected.before == Before()


def test_a_host_is_found_by_its_id_and_age_and_a_new_one_by_its_marker() -> None:
    here = Snapshot(objects=(live(OLD),))
    assert find_host(UPDATE, here, MARKER) == live(OLD)
    assert find_host(CREATE, here, MARKER) == live(OLD)
    assert find_host(CREATE, here, replace(MARKER, state="another")) is None
    assert find_host(replace(UPDATE, created_on="later"), here, MARKER) is None
    assert find_host(replace(UPDATE, key=key("site", "stream")), here, MARKER) is None


def test_only_our_own_canaries_are_removed() -> None:
    ours = live(OLD, marker=Marker("site", "default", canary=True))
    theirs = live(OLD, marker=Marker("site", "other", canary=True), npm_id=8)
    snapshot = Snapshot(objects=(), canaries=(ours, theirs))
    assert canaries_of("default", snapshot) == [ours]
