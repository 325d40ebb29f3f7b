"""`certificate: auto`: the file's own first, then the most specific, then the one that lasts."""

from datetime import UTC, datetime

import pytest

from proxysync.kinds.covering import Candidate, NoChoiceError, choose, uncovered
from proxysync.model import Key, Reference

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SITE = ("a.example.com", "b.example.com")


def candidate(
    label: str, *names: str, year: int | None = 2027, content: str = "", is_own: bool = False
) -> Candidate:
    expires = None if year is None else datetime(year, 1, 1, tzinfo=UTC)
    npm_id = Reference.to(Key("certificate", label)) if is_own else len(label)
    return Candidate(npm_id, label, names, expires, content or label)


WILD = candidate("wild", "*.example.com")
EXACT = candidate("exact", *SITE)
MIXED = candidate("mixed", "a.example.com", "*.example.com")


@pytest.mark.parametrize(
    ("expected", "others"),
    [
        ("wild", [candidate("half", "a.example.com"), candidate("deep", "*.a.example.com")]),
        ("exact", [WILD, MIXED]),
        ("mixed", [WILD]),
        ("late", [candidate("early", *SITE), candidate("unknown", *SITE, year=None)]),
        ("own", [EXACT, candidate("longer", "*.example.com", year=2040)]),
        ("wild", [candidate("over", *SITE, year=2026)]),
        ("same", [candidate("same", *SITE)]),
    ],
)
def test_one_is_the_best(expected: str, others: list[Candidate]) -> None:
    best = {
        "wild": WILD,
        "exact": EXACT,
        "mixed": MIXED,
        "late": candidate("late", *SITE, year=2028),
        "own": candidate("own", "*.example.com", is_own=True),
        "same": candidate("same", *SITE),
    }[expected]

    assert choose(SITE, [best, *others], NOW).nice_name == expected
    assert choose(SITE, [*others, best], NOW).nice_name == expected


def test_none_is_an_error_that_lists_what_there_is() -> None:
    found = [candidate("half", "a.example.com"), candidate("over", *SITE, year=2025)]

    told = r"all of a\.example\.com, b\.example\.com; there is: .half.*over"
    with pytest.raises(NoChoiceError, match=told):
        choose(SITE, found, NOW)
    with pytest.raises(NoChoiceError, match=r"there is: none$"):
        choose(SITE, [], NOW)


def test_a_tie_that_matters_is_an_error() -> None:
    with pytest.raises(NoChoiceError, match=r"exact.* and .twin.* would do"):
        choose(SITE, [EXACT, WILD, candidate("twin", *SITE)], NOW)


def test_without_names_there_must_be_one_to_choose_only() -> None:
    own = candidate("own", "x.example.com", is_own=True)

    assert choose((), [EXACT], NOW) == EXACT
    assert choose((), [EXACT, WILD, own], NOW) == own
    with pytest.raises(NoChoiceError, match=r"exact.* and .wild.* would do"):
        choose((), [EXACT, WILD], NOW)


def test_a_wildcard_is_for_one_label_only() -> None:
    names = ("*.example.com", "example.org")

    assert uncovered(["a.example.com", "*.example.com", "example.org"], names) == []
    others = ["example.com", "a.b.example.com", "*.b.example.com", "*.example.org"]
    assert uncovered(others, names) == others
