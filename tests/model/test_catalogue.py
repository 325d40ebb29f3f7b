"""The catalogue knows every event that is raised, and nothing else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import proxysync
from proxysync.apply.lock import LockedError
from proxysync.model import catalogue
from proxysync.model.catalogue import CATALOGUE, to_markdown, type_of
from proxysync.model.event import SEVERITIES, SOURCES, NewEvent
from proxysync.npm.errors import NpmError, NpmStoppedError

PACKAGE = Path(proxysync.__file__).parent
DOCS = PACKAGE.parent / "docs" / "events.md"


def source() -> Iterator[ast.AST]:
    """All of the source but the catalogue, node by node."""
    for file in PACKAGE.rglob("*.py"):
        if file != Path(catalogue.__file__):
            yield from ast.walk(ast.parse(file.read_text()))


def named_in_calls() -> set[str]:
    """The events whose names stand in a call of NewEvent."""
    calls = (
        node.args[0]
        for node in source()
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "NewEvent"
    )
    constants = (part for call in calls for part in ast.walk(call))
    return {str(node.value) for node in constants if isinstance(node, ast.Constant)}


def error_codes(root: type[NpmError]) -> set[str]:
    return {root.code}.union(*map(error_codes, root.__subclasses__()))


def test_every_event_that_is_raised_is_in_the_catalogue() -> None:
    assert len(named_in_calls()) > 30
    assert named_in_calls() <= CATALOGUE.keys()
    # The daemon raises the code of an error as an event.
    assert error_codes(NpmError) - {NpmStoppedError.code} <= CATALOGUE.keys()
    assert LockedError.code in CATALOGUE


def test_every_event_of_the_catalogue_is_raised() -> None:
    texts = {node.value for node in source() if isinstance(node, ast.Constant)}
    assert CATALOGUE.keys() - texts == set()


def test_every_meaning_is_a_sentence_and_every_word_a_known_one() -> None:
    for name, one in CATALOGUE.items():
        assert one.name == name
        assert one.meaning.endswith(".")
        assert one.source in SOURCES
        assert one.severities
        assert set(one.severities) <= set(SEVERITIES)


def test_the_page_in_the_docs_is_what_the_catalogue_says() -> None:
    written = "python -m proxysync.model.catalogue > docs/events.md"
    assert DOCS.read_text() == to_markdown(), f"run {written}"
    assert written in to_markdown()


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (NewEvent("daemon.bored", "x"), "no event daemon.bored"),
        (NewEvent("daemon.started", "x", data={"pid": 1}), "no pid in daemon.started"),
        (NewEvent("daemon.started", "x", severity="error"), "needs one of"),
        (NewEvent("health.changed", "x"), "needs one of"),
        (NewEvent("health.changed", "x", severity="error"), "needs one of"),
    ],
)
def test_an_event_that_is_not_as_the_catalogue_says_is_an_error(event: NewEvent, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        type_of(event).severity_of(event)


def test_the_severity_comes_from_the_catalogue_unless_it_leaves_a_choice() -> None:
    assert (
        type_of(NewEvent("daemon.fault", "x")).severity_of(NewEvent("daemon.fault", "x")) == "error"
    )
    ill = NewEvent("health.changed", "x", severity="warn")
    assert type_of(ill).severity_of(ill) == "warn"
