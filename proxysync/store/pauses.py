"""Whether a person has told the daemon to write nothing for a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from proxysync.model import clock
from proxysync.store.database import Database


@dataclass(frozen=True)
class Pause:
    """The daemon writes nothing for so many seconds from `begin`; with None until it is told."""

    begin: clock.Moment
    seconds: float | None

    @property
    def left(self) -> float | None:
        """Seconds until it is over, whatever was done to the clock since; None for no end."""
        return None if self.seconds is None else self.seconds - self.begin.age()

    @property
    def until(self) -> datetime | None:
        return None if self.left is None else clock.now() + timedelta(seconds=self.left)

    def __str__(self) -> str:
        """What it means, in a sentence without its full stop."""
        end = f"until {clock.local(self.until)}" if self.until else "for now"
        return f"paused {end}: the daemon writes nothing; `proxysync resume` ends that"


class Pauses:
    """The pause of one target, if there is one."""

    def __init__(self, database: Database, target: str) -> None:
        self._database = database
        self._target = target

    def begin(self, seconds: float | None) -> Pause:
        """Begins one, in place of any other."""
        pause = Pause(clock.Moment.now(), seconds)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO pause VALUES (?, ?, ?)",
                (self._target, pause.begin.to_text(), seconds),
            )
        return pause

    def current(self) -> Pause | None:
        """The one that is not over."""
        for row in self._database.query("SELECT * FROM pause WHERE target = ?", self._target):
            pause = Pause(clock.Moment.from_text(row["begin"]), row["seconds"])
            return pause if pause.left is None or pause.left > 0 else None
        return None

    def end(self) -> bool:
        """Ends it; whether there was one."""
        there = self.current() is not None
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM pause WHERE target = ?", (self._target,))
        return there
