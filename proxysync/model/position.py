"""Where something stands in a file."""

from dataclasses import dataclass

from proxysync.model.text import one_line


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file; lines and columns count from 1, and 0 is the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        file = one_line(self.file)
        return f"{file}:{self.line}:{self.column}" if self.line else file
