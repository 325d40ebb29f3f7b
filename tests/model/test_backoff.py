"""Pauses between tries."""

from proxysync.model.backoff import Backoff


def test_pauses_grow_up_to_the_longest_however_many_tries_there_were() -> None:
    backoff = Backoff(first=15, longest=600)
    assert [backoff.pause(tries) for tries in range(8)] == [15, 30, 60, 120, 240, 480, 600, 600]
    assert Backoff(first=0.2, longest=1e9, factor=3).pause(2) == 0.2 * 9
    assert backoff.pause(10**9) == 600
