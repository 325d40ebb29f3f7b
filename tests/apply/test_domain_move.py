"""Who has which name while names are on their way from one host to another."""

from proxysync.apply.domain_move import DomainMove
from proxysync.apply.outcome import ApplyError, WriteOutcome
from proxysync.kinds.proxy import PROXY
from proxysync.model import Fields, Key, Live, Marker
from proxysync.plan.model import Change

GIVER, TAKER = 1, 2
MARKER = Marker("giver", "default")


def fields(*names: str) -> Fields:
    return PROXY.complete({"domain_names": names, "forward_host": "10.0.0.1"})


def live(npm_id: int, *names: str) -> Live:
    return Live("proxy", npm_id, fields(*names), MARKER)


def change(npm_id: int, old: Live, *names: str) -> Change:
    target = fields(*names)
    key = Key("proxy", f"host{npm_id}")
    return Change("update", key, npm_id, False, {}, "", target, target, old)


GIVES = change(GIVER, live(GIVER, "moved.example", "kept.example"), "kept.example", "new.example")
TAKES = change(TAKER, live(TAKER, "own.example"), "own.example", "moved.example")
MOVED = frozenset({"moved.example"})
DETACHED = live(GIVER, ".moved.example", "kept.example")
TAKEN = WriteOutcome(TAKES, live(TAKER, "own.example", "moved.example"))


def test_a_host_is_expected_as_the_run_has_left_it() -> None:
    assert DomainMove().expected(GIVES) == GIVES.live
    assert DomainMove().detach(DETACHED).expected(GIVES) == DETACHED


def test_a_host_that_takes_before_it_has_given_keeps_its_aliases() -> None:
    aliases = frozenset({".moved.example"})
    assert DomainMove().with_aliases(GIVES, aliases) == GIVES.target
    written = DomainMove().detach(DETACHED).with_aliases(GIVES, aliases)
    assert written == fields(".moved.example", "kept.example", "new.example")


def test_an_alias_that_an_old_npm_refused_is_not_asked_for_again() -> None:
    move = DomainMove().detach(live(GIVER, "kept.example"))
    assert move.with_aliases(GIVES, frozenset({".moved.example"})) == GIVES.target


def test_a_name_is_the_takers_alone_only_when_its_alias_is_gone() -> None:
    names = ("own.example", "moved.example")
    move = DomainMove().detach(DETACHED)
    assert move.visited(TAKES, names) == {"own.example"}
    finished = move.after(WriteOutcome(GIVES, live(GIVER, "kept.example", "new.example")))
    assert finished.visited(TAKES, names) == set(names)


def test_a_name_is_taken_when_another_host_was_written_with_it() -> None:
    move = DomainMove().detach(DETACHED)
    assert move.not_taken(GIVES, MOVED) == ["moved.example"]
    assert move.after(TAKEN).not_taken(GIVES, MOVED) == []


def test_a_taker_that_is_put_back_has_taken_nothing() -> None:
    move = DomainMove().detach(DETACHED).after(TAKEN)
    error = ApplyError("refused", live=live(TAKER, "own.example"), retry=False, restored=True)
    assert move.after(WriteOutcome(TAKES, error=error)).not_taken(GIVES, MOVED) == ["moved.example"]
    assert TAKEN.live is not None
    assert move.without(TAKEN.live).not_taken(GIVES, MOVED) == ["moved.example"]


def test_what_somebody_else_has_written_is_no_part_of_the_move() -> None:
    changed = live(GIVER, "moved.example", "theirs.example")
    error = ApplyError("was changed in NPM", live=changed, retry=True)
    move = DomainMove().detach(DETACHED)
    assert move.after(WriteOutcome(GIVES, error=error)) == move


def test_a_host_gets_back_what_nobody_has_taken() -> None:
    move = DomainMove().detach(DETACHED)
    assert move.restored(GIVES, DETACHED) == fields("moved.example", "kept.example")
    assert move.after(TAKEN).restored(GIVES, DETACHED) == fields("kept.example")


def test_a_host_that_has_lost_all_keeps_what_it_has() -> None:
    gives = change(GIVER, live(GIVER, "moved.example"), "new.example")
    detached = live(GIVER, ".moved.example")
    move = DomainMove().detach(detached).after(TAKEN)
    assert move.restored(gives, detached) == fields(".moved.example")
    taken = live(GIVER, ".moved.example", "new.example")
    assert move.restored(gives, taken) == fields("new.example")


def test_hosts_of_two_kinds_with_one_id_are_two_hosts() -> None:
    move = DomainMove().detach(DETACHED)
    other = Change("update", Key("stream", "x"), GIVER, False, {}, "", None, None, None)
    assert move.now(other) is None
    assert move.now(GIVES) == DETACHED


def test_a_host_is_finished_when_it_has_its_definition_and_marker() -> None:
    done = live(GIVER, "kept.example", "new.example")
    move = DomainMove().detach(DETACHED)
    assert not move.is_finished(GIVES, MARKER)
    finished = move.after(WriteOutcome(GIVES, done))
    assert finished.is_finished(GIVES, MARKER)
    assert not finished.is_finished(GIVES, Marker("other", "default"))
