"""A host that nginx does not serve is written again, though not for ever at the same pace."""

from proxysync.daemon.repairs import RETRY, Repairs
from tests.keys import key


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_pause_grows_while_nothing_helps() -> None:
    clock = Clock()
    repairs = Repairs(clock)
    pauses = []
    for _ in range(9):
        assert repairs.take({key("one"): "not_served"})
        repairs.tried([key("one")])
        begin = clock.now
        while not repairs.take({key("one"): "not_served"}):
            clock.now += RETRY.first / 2
        pauses.append(clock.now - begin)
    assert pauses[:3] == [5.0, 20.0, 80.0]
    assert pauses[-1] == RETRY.longest


def test_one_that_was_served_in_between_is_written_at_once() -> None:
    repairs = Repairs(Clock())
    repairs.tried([key("one"), key("two")])
    assert not repairs.take({key("one"): "not_served", key("two"): "not_served"})
    assert not repairs.take({key("one"): "served"})
    assert repairs.take({key("one"): "not_served"})
    assert repairs.waiting() == {key("two")}


def test_one_of_which_nothing_is_known_goes_on_waiting() -> None:
    repairs = Repairs(Clock())
    repairs.tried([key("one")])
    assert not repairs.take({key("one"): "unknown"})
    assert repairs.waiting() == {key("one")}
