"""How long a file of a folder is waited for, and whether anything in it is missing."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxysync.config.load import load
from proxysync.config.models import Config
from proxysync.daemon.vanished import GIVE_UP_AFTER, Vanished

ONE = "proxies: {one: {domains: [one.example.com], upstream: 'http://h'}}\n"
TWO = "proxies: {two: {domains: [two.example.com], upstream: 'http://h'}}\n"


@dataclass
class Folder:
    path: Path
    now: float = 100.0
    config: Config | None = None
    vanished: Vanished = field(init=False)

    def __post_init__(self) -> None:
        self.vanished = Vanished(lambda: self.now)
        self.write("a.yaml", ONE)
        self.write("b.yaml", TWO)
        assert self.waits() == []

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    def waits(self) -> list[str]:
        """The names waited for; if there are none, the new file is loaded from now on."""
        config = load(self.path, {})
        found = self.vanished.waits(self.config, config)
        self.config = self.config if found else config
        return [file.name for file in found]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_file_that_is_gone_is_waited_for_and_then_no_more(folder: Folder) -> None:
    (folder.path / "b.yaml").unlink()
    assert folder.waits() == ["b.yaml"]
    folder.now += GIVE_UP_AFTER - 1
    assert folder.waits() == ["b.yaml"]
    assert folder.vanished.left == 1
    folder.now += 1
    assert folder.waits() == []
    folder.now += 1
    assert folder.waits() == []
    assert folder.vanished.left is None


def test_a_file_that_comes_back_ends_the_wait_and_a_second_time_counts_anew(
    folder: Folder,
) -> None:
    for _ in range(2):
        (folder.path / "b.yaml").unlink()
        assert folder.waits() == ["b.yaml"]
        folder.now += GIVE_UP_AFTER - 1
        folder.write("b.yaml", TWO)
        assert folder.waits() == []
        assert folder.vanished.left is None


def test_a_renamed_file_is_not_waited_for_though_an_entry_in_it_was_edited(folder: Folder) -> None:
    (folder.path / "b.yaml").unlink()
    folder.write("c.yaml", TWO.replace("http://h", "http://other"))
    assert folder.waits() == []


@pytest.mark.parametrize(
    "more", ["settings: {prune: false}\n", "defaults: {block_exploits: true}\n"]
)
def test_a_file_with_settings_or_defaults_is_waited_for(folder: Folder, more: str) -> None:
    folder.write("c.yaml", more)
    assert folder.waits() == []
    (folder.path / "c.yaml").unlink()
    assert folder.waits() == ["c.yaml"]


def test_an_edit_that_removes_entries_is_not_waited_for(folder: Folder) -> None:
    folder.write("b.yaml", "proxies: {}\n")
    assert folder.waits() == []
