"""What is to be told at a place of the file, where a CI server shows the file."""

from dataclasses import dataclass
from typing import Literal

from proxysync.model.position import Position

Level = Literal["error", "warning", "notice"]


@dataclass(frozen=True)
class Annotation:
    """Some lines of text and the place that they are about; None where there is no such place."""

    level: Level
    message: str
    at: Position | None
