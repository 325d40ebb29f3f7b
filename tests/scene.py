"""A file with entries of all kinds beside an NPM, and whether the two are in sync."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxysync.store.database import open_for_reading
from proxysync.store.state import State
from tests.by_kind import SECRETS, ByKind, Entries, Entry, Key
from tests.changes_of_kinds import sections
from tests.world import Done, Npm, World

SETTINGS: dict[str, Any] = {"validation": {"mode": "off"}}


@dataclass
class Scene:
    """`kinds` are all that there are, by name; `settings` are those of the file."""

    world: World
    kinds: Mapping[str, ByKind]
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))

    def __post_init__(self) -> None:
        self.world.env.update(SECRETS)

    def call(self, *words: str) -> Done:
        return self.world.call(*words)

    def write(self, entries: Entries) -> None:
        every = sections(self.kinds.values(), entries)
        proxies = every.pop("proxies")
        self.world.write(proxies, **every, settings=self.settings)

    def foreign(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of what is foreign, all of each, by kind."""
        return {
            name: [row for row in kind.rows(self.world.npm) if kind.is_strangers(row)]
            for name, kind in self.kinds.items()
        }

    def assert_in_sync(self, entries: Entries) -> None:
        """Whether NPM holds, and serves, these entries and what is foreign, and all is known."""
        plan = self.call("plan", "--format", "json", "--detailed-exitcode")
        assert plan.code == 0, plan.out + plan.err
        ids = {}
        for name, kind in self.kinds.items():
            ours = [row for row in kind.rows(self.world.npm) if not kind.is_strangers(row)]
            wanted = {key: entry for key, entry in entries.items() if key[0] == name}
            found = {key: self._row(kind, key, entry, ours) for key, entry in wanted.items()}
            ids.update({key: row["id"] for key, row in found.items()})
            assert sorted(row["id"] for row in ours) == sorted(row["id"] for row in found.values())
        self._assert_served(entries)
        self._assert_state(ids)

    def _row(
        self, kind: ByKind, key: Key, entry: Entry, rows: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """The one row of an entry, which must be as it says."""
        [row] = [row for row in rows if kind.has_place_of(row, entry)]
        assert not kind.differs(entry, row), (entry, row)
        assert kind.is_on(row) is entry.get("enabled", True)
        marker = {"name": key[1], "instance": "default", "state": self._state_id()}
        assert not kind.kind.keeps_marker or row["meta"]["proxysync"] == marker
        return row

    def _assert_served(self, entries: Entries) -> None:
        for key, entry in entries.items():
            for where, answer in self.kinds[key[0]].answers(entry).items():
                got = self.world.npm.ask(where)
                assert (got == answer) is entry.get("enabled", True), (where, got, answer)

    def _state_id(self) -> str:
        database = open_for_reading(self.world.state / "state.db")
        assert database is not None
        try:
            return State(database).id
        finally:
            database.close()

    def _assert_state(self, ids: Mapping[Key, int]) -> None:
        database = open_for_reading(self.world.state / "state.db")
        assert database is not None
        try:
            state = State(database)
            applied = state.applied()
            known = {(row.kind, row.name): row.npm_id for row in applied}
            assert known == ids, sorted(known.items() ^ ids.items())
            assert [row.name for row in applied if row.unconfirmed] == []
            assert state.failures() == ()
            assert database.query("SELECT * FROM journal WHERE outcome IS NULL") == []
        finally:
            database.close()


def add_foreign(npm: Npm, kind: ByKind) -> None:
    """What strangers have of a kind; the last of it with the marker of another instance."""
    marker = {"proxysync": {"name": "theirs", "instance": "other"}}
    for place in kind.of_strangers:
        meta = marker if place == kind.of_strangers[-1] else {"note": "mine"}
        more = {"meta": meta} if kind.kind.is_host else {}
        npm.call("POST", kind.path, {**kind.foreign(place), **more})
