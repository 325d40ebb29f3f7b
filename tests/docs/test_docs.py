"""What the pages mention is there."""

import ast
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import proxysync
from proxysync.cli.main import COMMANDS, build_parser
from proxysync.config.models import Settings
from proxysync.kinds import KINDS
from proxysync.kinds.base import Kind
from proxysync.kinds.entry import Entry
from proxysync.kinds.hosts import HostKind
from proxysync.model.catalogue import CATALOGUE
from proxysync.values.fields import nested_model

PACKAGE = Path(proxysync.__file__).parent
ROOT = PACKAGE.parent
ROOMS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
GENERATED = ROOT / "docs" / "events.md"
TROUBLE = ROOT / "docs" / "troubleshooting.md"

WRITTEN = {*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")} - {GENERATED, ROOT / "CHANGELOG.md"}
PAGES = [ROOT / "tests" / "promises" / "README.md", *sorted(WRITTEN)]
DOCS = sorted({*ROOT.glob("docs/*.md")} - {GENERATED})
LONGEST_PAGE = 250
"""In lines; tables do not count, for they are not read from end to end."""

WHILE_IT_RUNS = {"state.db", "events.jsonl"}
"""Files that are no part of the repository."""

SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+|([A-Z][a-z]+){2,}|[A-Z]+(_[A-Z]+)+")


def spans(page: Path) -> set[str]:
    """What stands in backticks within its text."""
    return set(SPAN.findall(FENCE.sub("", page.read_text())))


def commands(page: Path) -> set[str]:
    """The commands of proxysync and of make that it shows, in blocks, too."""
    blocks = "\n".join(re.sub(" *#.*", "", block) for block in FENCE.findall(page.read_text()))
    lines = {line.strip() for line in blocks.splitlines()} | spans(page)
    return {line for line in lines if line.startswith(("proxysync ", "make "))}


@cache
def messages() -> str:
    """All texts of the package, each on a line, with … for what is put into them."""
    found: list[str] = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


@cache
def identifiers() -> frozenset[str]:
    """All names and whole texts of the source and the tests."""
    found: set[str] = set()
    others = (path for path in ROOT.glob("tests/**/*.py") if path != Path(__file__))
    for path in (*PACKAGE.rglob("*.py"), *others):
        for node in ast.walk(ast.parse(path.read_text())):
            for attribute in ("id", "attr", "arg", "name", "value"):
                word = getattr(node, attribute, None)
                if isinstance(word, str):
                    found.add(word)
    return frozenset(found)


def is_symbol(text: str) -> bool:
    """Whether `room.module.name` leads somewhere; `proxysync.` is left out."""
    parts = text.split(".") if text.startswith("tests.") else ["proxysync", *text.split(".")]
    for count in range(len(parts), 1, -1):
        try:
            found: Any = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        return all((found := _member(found, name)) is not None for name in parts[count:])
    return False


def _member(owner: Any, name: str) -> Any:
    fields: Mapping[str, Any] = getattr(owner, "__annotations__", {})
    return getattr(owner, name, fields.get(name))


def is_of_the_file(text: str) -> bool:
    """Whether `settings.verify`, `health.path` or the like is a field of the file."""
    names = text.removeprefix("settings.").split(".")
    return any(_leads_on(kind.entry_model, names) for kind in KINDS.values()) or _leads_on(
        Settings, names
    )


def _leads_on(model: type[BaseModel] | None, names: list[str]) -> bool:
    for name in names:
        if model is None or name not in model.model_fields:
            return False
        model = nested_model(model, name)
    return True


def headings(page: Path) -> set[str]:
    """What a link to a part of the page can name."""
    lines = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-") for line in lines}


def is_dead(page: Path, link: str) -> bool:
    """Whether a link leads to no file, or to no part of it."""
    file, _, part = link.partition("#")
    target = page.parent / file if file else page
    return not target.exists() or bool(part and part not in headings(target))


def is_right(text: str) -> bool:
    """Whether what looks like a path, a symbol or a name of ours is one."""
    if re.fullmatch(r"(proxysync|tests|docs|examples|benchmarks|systemd)/[\w./*-]*", text):
        return any(ROOT.glob(text.rstrip("/")))
    if text.startswith("python -m "):
        module = ROOT / text.split()[2].replace(".", "/")
        return module.with_suffix(".py").exists()
    if re.fullmatch(r"[\w-]+\.(py|md|toml|yaml|yml)", text):
        return (ROOT / text).exists() or text == "proxies.yaml"
    if DOTTED.fullmatch(text):
        is_domain = text.endswith((".com", ".example", ".invalid"))
        known = text in WHILE_IT_RUNS | CATALOGUE.keys() or is_of_the_file(text)
        return is_domain or known or is_symbol(text)
    if text.startswith("PROXYSYNC_"):
        return text in identifiers() or bool(
            re.match(r"PROXYSYNC_(VAR|SECRET)_(NAME|domain)", text)
        )
    return text in identifiers() if IDENTIFIER.fullmatch(text) else True


def flags_of(command: str) -> set[str]:
    """The flags that its help names."""
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        build_parser().parse_args([command, "--help"])
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text.getvalue()))


def wrong_words(line: str) -> Iterator[str]:
    """What of a command is not there."""
    program, *words = line.split()
    if program == "make":
        targets = set(re.findall(r"^([\w$().-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        yield from (w for w in words if "=" not in w and w not in targets | {".venv/.ready"})
        return
    name = words[0]
    if name not in COMMANDS:
        yield name
        return
    flags = flags_of(name)
    yield from (w for w in words if w.startswith("-") and w.rstrip(".,").split("=")[0] not in flags)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_names_and_links_are_there(page: Path) -> None:
    beside_it = {path.name for path in page.parent.iterdir()}
    assert sorted(text for text in spans(page) - beside_it if not is_right(text)) == []
    links = {link for link in LINK.findall(page.read_text()) if "://" not in link}
    assert sorted(link for link in links if is_dead(page, link)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_flags_are_there(page: Path) -> None:
    assert {line: wrong for line in commands(page) if (wrong := list(wrong_words(line)))} == {}


def test_no_page_is_long_and_each_stands_in_the_readme() -> None:
    readme = ROOT / "README.md"
    lines = {
        page: len(re.findall(r"^(?!\|)", page.read_text(), re.MULTILINE))
        for page in (readme, *DOCS)
    }
    assert {page.name for page, count in lines.items() if count > LONGEST_PAGE} == set()
    linked = set(LINK.findall(readme.read_text()))
    assert [page.name for page in DOCS if f"docs/{page.name}" not in linked] == []


def test_the_picture_shows_every_room() -> None:
    picture = FENCE.findall((ROOT / "docs" / "architecture.md").read_text())[0]
    assert ROOMS - set(re.findall(r"\w+", picture)) == set()


def public_names(owner: type) -> list[str]:
    """What a class itself defines or declares for others."""
    names = {**vars(owner), **owner.__annotations__}.keys() - dir(BaseModel)
    return sorted(name for name in names if not name.startswith("_"))


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("What each trait means", public_names(Kind)),
        ("What an entry of the file is asked", public_names(Entry)),
    ],
    ids=["kind", "entry"],
)
def test_the_table_says_what_every_trait_of_a_kind_means(heading: str, names: list[str]) -> None:
    text = (ROOT / "docs" / "adding-a-kind.md").read_text().partition(f"## {heading}\n")[2]
    rows = [r.split("|")[1] for r in text.partition("\n## ")[0].splitlines() if r[:3] == "| `"]
    assert sorted(name for row in rows for name in SPAN.findall(row)) == names


def test_the_table_marks_the_traits_that_a_kind_must_have() -> None:
    def unsaid(kind: type) -> set[str]:
        declared = {name for name in Kind.__annotations__ if not hasattr(kind, name)}
        abstract: frozenset[str] = getattr(kind, "__abstractmethods__")  # noqa: B009
        return declared | abstract

    text = (ROOT / "docs" / "adding-a-kind.md").read_text().partition("## What each trait")[2]
    always, but_hosts = (set(re.findall(rf"`(\w+)` {mark}", text)) for mark in "†‡")
    assert always == unsaid(HostKind) & set(public_names(Kind))
    assert but_hosts == unsaid(Kind) - always


def test_a_wrong_name_is_noticed() -> None:
    wrong = [
        "proxysync/nowhere.py",
        "plan.planner.nothing",
        "nowhere.module.name",
        "plan.model.Plan.nothing",
        "no_such_name",
        "NoSuchName",
        "PROXYSYNC_NOTHING",
        "python -m proxysync.nothing",
        "nothing.toml",
        "settings.nothing",
        "health.path.nothing",
    ]
    assert [text for text in wrong if is_right(text)] == []
    assert [list(wrong_words(line)) for line in ("make nothing", "proxysync nothing")] == [
        ["nothing"],
        ["nothing"],
    ]
    links = ["README.md#nothing", "docs/nothing.md", "docs/ci.md#on-github"]
    assert [link for link in links if is_dead(ROOT / "README.md", link)] == links[:2]
    assert list(wrong_words("proxysync apply --yes --nothing")) == ["--nothing"]


def test_each_message_that_is_explained_is_one_of_ours() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", TROUBLE.read_text(), re.MULTILINE)
    said = [message for message in rows if message not in ("it says", "---")]
    assert len(said) > 20
    parts = [part.strip() for message in said for part in message.split("…")]
    assert [part for part in parts if part not in messages()] == []
