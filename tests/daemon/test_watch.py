"""Files that are watched where the system reports nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxysync.daemon.watch import FileWatcher


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def watcher(tmp_path: Path, heard: list[str]) -> Iterator[FileWatcher]:
    """Of a file and of two that its entries name, one of them behind a link."""
    for name in ("proxies.yaml", "fullchain.pem", "archive.pem"):
        (tmp_path / name).write_text("old")
    (tmp_path / "live.pem").symlink_to("archive.pem")
    watcher = FileWatcher(tmp_path / "proxies.yaml", lambda: heard.append("changed"))
    watcher.arm([tmp_path / "fullchain.pem", tmp_path / "live.pem"])
    yield watcher
    watcher.close()


@pytest.mark.parametrize("name", ["proxies.yaml", "fullchain.pem", "archive.pem"])
def test_a_look_finds_what_changed(
    watcher: FileWatcher, heard: list[str], tmp_path: Path, name: str
) -> None:
    watcher.close()  # from here on nobody reports anything
    watcher.poll()
    assert heard == []

    (tmp_path / name).write_text("newer")
    watcher.poll()

    assert heard == ["changed"]


def test_a_swapped_link_is_found(watcher: FileWatcher, heard: list[str], tmp_path: Path) -> None:
    watcher.close()
    (tmp_path / "next.pem").symlink_to("fullchain.pem")
    (tmp_path / "next.pem").replace(tmp_path / "live.pem")

    watcher.poll()

    assert heard == ["changed"]
