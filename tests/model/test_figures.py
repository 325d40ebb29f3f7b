"""What many checks come to."""

from hypothesis import given
from hypothesis import strategies as st

from proxysync.model.figures import percentile, summarise


def test_figures_of_a_stretch() -> None:
    checks: list[tuple[bool, int | None]] = [(True, n) for n in range(1, 101)]
    figures = summarise([*checks, (False, 10_000), (False, None)])
    assert (figures.total, figures.ok, figures.p50, figures.p95) == (102, 100, 50, 95)


def test_without_a_good_check_there_is_no_latency() -> None:
    assert summarise([(False, 3)]).p50 is None
    assert summarise([]).total == 0


@given(st.lists(st.integers(0, 10_000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_covers_the_share(
    values: list[int], percent: int
) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    assert sum(v <= found for v in values) * 100 >= percent * len(values)
    assert sum(v < found for v in values) * 100 < percent * len(values)
