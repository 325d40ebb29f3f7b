"""The reference of the file is what the models say."""

import re

from proxysync.config.json_schema import SINCE, json_schema
from tools.file_reference import FIRST_VERSION, PAGE, rewritten, table, tables


def test_the_page_is_as_the_models_have_it() -> None:
    page = PAGE.read_text()
    assert rewritten(page) == page, "run make docs"


def test_every_field_has_its_row() -> None:
    page = PAGE.read_text()
    shown = set(re.findall(r"<!-- fields: (\w+) -->", page))
    assert {name for name, fields in tables().items() if fields} == shown
    sections = json_schema()["properties"]
    assert [name for name in sections if f"`{name}`" not in page and f"\n{name}:" not in page] == []


def test_a_field_that_came_later_says_with_which_version() -> None:
    old = {"description": "Is there.", "type": "boolean", "default": True}
    rows = table({"old": old, "new": {**old, SINCE: "0.2.0"}}).splitlines()[2:]
    assert [row.split(" | ")[-1] for row in rows] == [f"{FIRST_VERSION} |", "0.2.0 |"]
