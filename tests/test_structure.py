"""The shape of the house: short functions and files, and what a kind is stands in its own file."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import proxysync
from proxysync.kinds import KINDS

PACKAGE = Path(proxysync.__file__).parent
LONGEST_FUNCTION = 50
LONGEST_FILE = 400

KNOW_KINDS = {"kinds", "sandbox", "demo"}
"""`sandbox` and `demo` play NPM and somebody at its web page: both speak its language."""

ALLOWED = {
    ("app/status.py", "enabled"): "a word of `status --format json`",
    ("app/verdict.py", "locations"): "a word of `validate --format json`",
    ("cli/validate.py", "locations"): "the same, for people",
    ("cli/events.py", "proxy"): "the flag --proxy, which is short for --kind proxy",
    ("web/parameters.py", "proxy"): "the same as a parameter",
    ("web/endpoints/resources.py", "proxy"): "what /api/proxies lists",
    ("web/openapi.py", "proxy"): "the parameter again",
    ("web/shapes.py", "enabled"): "the word of `status --format json`",
    ("web/shapes.py", "locations"): "the word of `validate --format json`",
    ("health/certificates.py", "nice_name"): "what its warnings call a certificate",
    ("values/fields.py", "advanced_config"): "the type of the value, which any kind may use",
    ("values/scalars.py", "certificate"): "what its messages call one",
}
"""Words that are meant otherwise where they stand, and how."""

EVERYDAY = {"name", "clients", "items"}
"""Wire fields that are called like what there is everywhere."""


@cache
def sources() -> Mapping[str, ast.Module]:
    """Each file of the package by its path in there."""
    files = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    return {file: ast.parse(files[file].read_text()) for file in sorted(files)}


def outside() -> Iterator[tuple[str, ast.Module]]:
    """The files that are to know no kind."""
    return ((f, tree) for f, tree in sources().items() if f.partition("/")[0] not in KNOW_KINDS)


def words(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where it names a kind, or one of a kind's wire fields, each with its line.

    A kind is named by a text; an attribute that is called like one is another thing.
    """
    fields = frozenset[str]().union(*(kind.defaults for kind in KINDS.values())) - EVERYDAY
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(word)) if word in KINDS or word in fields:
                yield node.lineno, word
            case ast.Attribute(attr=word) if word in fields:
                yield node.lineno, word


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What it may import as a module, each with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield node.lineno, module
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in names)


def of_kinds() -> Iterator[tuple[str, int, str]]:
    """Where another room names a kind or one of its wire fields."""
    for file, tree in outside():
        yield from ((file, line, word) for line, word in words(tree))


def test_no_function_is_too_long() -> None:
    functions = [
        (file, node.name, (node.end_lineno or 0) - node.lineno + 1)
        for file, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(functions) > 1000
    assert [one for one in functions if one[2] > LONGEST_FUNCTION] == []


def test_no_file_is_too_long() -> None:
    lengths = {file: (PACKAGE / file).read_text().count("\n") for file in sources()}
    assert {file: n for file, n in lengths.items() if n > LONGEST_FILE} == {}


def test_what_a_kind_is_stands_nowhere_else() -> None:
    found = [one for one in of_kinds() if (one[0], one[2]) not in ALLOWED]
    assert found == [], "ask the kind instead: docs/adding-a-kind.md"


def test_each_exception_is_needed() -> None:
    assert ALLOWED.keys() - {(file, word) for file, _, word in of_kinds()} == set()


def test_only_the_list_of_kinds_imports_one() -> None:
    modules = {type(kind).__module__ for kind in KINDS.values()}
    others = [
        (file, line)
        for file, tree in outside()
        for line, module in imported(tree)
        if module in modules
    ]
    assert others == []


def test_a_word_that_only_looks_like_a_kind_is_none() -> None:
    named = 'key.kind == "stream"; row["domain_names"]; entry.advanced_config'
    found = {word for _, word in words(ast.parse(named))}
    assert found == {"stream", "domain_names", "advanced_config"}
    assert list(words(ast.parse("tls.stream; arguments.proxy"))) == []
    hidden = "from proxysync.kinds import proxy\nimport proxysync.kinds.stream"
    assert {"proxysync.kinds.proxy", "proxysync.kinds.stream"} <= {
        module for _, module in imported(ast.parse(hidden))
    }
