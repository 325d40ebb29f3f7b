"""Where something stands in the file, and what is wrong with it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from proxysync.model.errors import ProxysyncError
from proxysync.model.position import Position
from proxysync.model.redact import redact
from proxysync.values.invalid import LONGEST_QUOTE

Path = tuple[str | int, ...]
"""Keys and list indexes that lead to a value."""

MAX_PROBLEMS = 1000
_PLAIN_KEY = re.compile(f"[A-Za-z0-9_-]{{1,{LONGEST_QUOTE}}}")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; `path` is empty where it is not about one value, and `line` and
    `column` are 0 where it stands on none.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        position = str(Position(self.file, self.line, self.column))
        where = f"{position}: " if position else ""
        what = f"{self.path}: " if self.path else ""
        return where + what + self.message + (f" ({self.hint})" if self.hint else "")


class ConfigError(ProxysyncError):
    """Everything that is wrong with the file, in the order of the file.

    `attachments` are the files that its entries name, as they were: another content may help.
    """

    code = "config.invalid"

    def __init__(
        self, problems: Iterable[Problem], attachments: Mapping[FilePath, str] | None = None
    ) -> None:
        self.attachments = attachments or {}
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column, p.path)))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def without_lines(self) -> "ConfigError":
        """The same of a file that was not written as it was read: nobody finds its lines."""
        problems = (replace(each, line=0, column=0) for each in self.problems)
        return ConfigError(problems, self.attachments)

    def within(self, path: Path) -> "ConfigError":
        """The same with paths that begin there, for whoever sent just what is to stand there."""
        start = to_text(path)

        def rest(found: str) -> str:
            after = found.removeprefix(start)
            return after.removeprefix(".") if after[:1] in ("", ".", "[") else found

        problems = (replace(each, path=rest(each.path)) for each in self.problems)
        return ConfigError(problems, self.attachments)

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(problem) for problem in self.problems]


class Problems:
    """Collects problems, one for each place; says so when there are too many to go on."""

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._seen: set[tuple[Position, str]] = set()
        self._silent: set[Position] = set()
        self._remarks: dict[Position, str] = {}

    def silence(self, at: Position) -> None:
        """Whatever is wrong with the value there is a mere consequence of what was told already, or
        cannot be known.
        """
        self._silent.add(at)

    def remark(self, at: Position, text: str | None) -> None:
        """Has what is wrong there told with this: where a person must look as well."""
        if text is not None:
            self._remarks[at] = text

    def add(
        self,
        at: Position,
        path: Path,
        message: str,
        hint: str | None = None,
        *,
        about_key: bool = False,
    ) -> None:
        """Keeps the first problem of a place: others about the same are mere consequences.

        What is `about_key` is wrong whatever the value is.
        """
        dotted = to_text(path)
        keys = {(at, f"path {dotted}"), (at, f"message {message}")}
        # A text that stands for a list of one is the same place.
        alone = {(at, f"path {to_text(path[:-1])}")} if path and path[-1] == 0 else set()
        if self.full or (at in self._silent and not about_key) or self._seen & (keys | alone):
            return
        self._seen |= keys
        if len(self._found) == MAX_PROBLEMS - 1:
            dotted, message, hint = "", "there are too many problems to go on", None
        elif remark := self._remarks.get(at):
            hint = f"{hint}; {remark}" if hint else remark
        self._found.append(Problem(at.file, at.line, at.column, dotted, message, hint))

    @property
    def full(self) -> bool:
        return len(self._found) >= MAX_PROBLEMS

    def __bool__(self) -> bool:
        return bool(self._found)

    def error(self, secrets: Mapping[str, str], attachments: Mapping[FilePath, str]) -> ConfigError:
        """The error with all of them, free of `secrets` (value to `${NAME}`)."""
        found = (
            replace(
                problem,
                message=redact(problem.message, secrets),
                hint=redact(problem.hint, secrets),
            )
            for problem in self._found
        )
        return ConfigError(found, attachments)


def to_text(path: Path) -> str:
    """`proxies.media.domains[1]`; a key that is no plain word stands in brackets and quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part[:LONGEST_QUOTE])}]"
    return text
