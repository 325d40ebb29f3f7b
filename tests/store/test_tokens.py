"""A login kept between runs: for whom it is, and that nothing about its file is an error."""

import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from proxysync.model import clock
from proxysync.store.tokens import NAME, TokenFile

DAY = 86_400.0
US = ("http://10.0.0.2:81", "bot@example.com", "correct horse")


def kept(folder: Path, *asks: str) -> str | None:
    found = TokenFile(folder, *(asks or US)).load()
    return found[0] if found else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    TokenFile(tmp_path, *US).keep("head.claims.sign", DAY)
    assert kept(tmp_path) == "head.claims.sign"
    return tmp_path


def test_it_is_for_one_address_one_identity_and_one_secret_alone(folder: Path) -> None:
    url, identity, secret = US
    assert kept(folder, "http://10.0.0.3:81", identity, secret) is None
    assert kept(folder, url, "root@example.com", secret) is None
    assert kept(folder, url, identity, "a rotated one") is None
    assert kept(folder) == "head.claims.sign", "and whoever asks in vain takes it from nobody"


def test_only_its_owner_can_read_it_and_no_secret_is_in_it(folder: Path) -> None:
    (file,) = folder.iterdir()
    assert file.name == NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(text in file.read_text() for text in US[1:])


def _others_may_read(file: Path) -> None:
    file.chmod(0o640)


def _a_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def _a_second_name(file: Path) -> None:
    os.link(file, file.with_name("elsewhere"))


def _a_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def _of_another(file: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(file, 12345, 12345)


def _too_large(file: Path) -> None:
    file.write_text(file.read_text() + " " * 100_000)


def _written(text: str) -> Callable[[Path], object]:
    return lambda file: file.write_text(text)


@pytest.mark.parametrize(
    "spoil",
    [
        *(_others_may_read, _a_link, _a_second_name, _a_fifo, _of_another, _too_large, Path.unlink),
        *(_written(""), _written("[]"), _written("{}"), _written("{"), _written("[" * 10_000)),
        _written('{"binding": 1, "salt": "zz", "token": [], "kept_at": {}, "seconds": "x"}'),
        _written('{"salt": "00", "token": "a", "binding": "é", "kept_at": NaN, "seconds": 1e999}'),
    ],
)
def test_a_file_that_is_not_ours_alone_is_as_good_as_none(
    folder: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(folder / NAME)
    assert kept(folder) is None
    TokenFile(folder, *US).keep("a.new.one", DAY)
    assert kept(folder) == "a.new.one", "and the next login is kept in its place"
    assert stat.S_IMODE((folder / NAME).lstat().st_mode) == 0o600


def test_it_ends_before_the_token_does_and_is_not_believed_from_the_future(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    for later, there in ((0.85, True), (0.95, False), (1.5, False), (-0.5, False)):
        moment = now + timedelta(seconds=DAY * later)
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        assert (kept(folder) is not None) == there, later


def test_the_one_that_was_refused_goes_and_no_other(folder: Path) -> None:
    ours = TokenFile(folder, *US)
    ours.forget("an.older.one")
    assert kept(folder) == "head.claims.sign"
    ours.forget("head.claims.sign")
    assert not (folder / NAME).exists()
    ours.forget("head.claims.sign")


def test_where_nothing_can_be_kept_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "nowhere"
    TokenFile(nowhere, *US).keep("head.claims.sign", DAY)
    assert not nowhere.exists(), "who only looks makes no folder"
    TokenFile(tmp_path / "file" / "state", *US).forget("x")
    monkeypatch.setattr(Path, "replace", _read_only)
    TokenFile(tmp_path, *US).keep("head.claims.sign", DAY)
    assert list(tmp_path.iterdir()) == [], "nor is a part of it left behind"


def _read_only(*_: object) -> None:
    raise OSError(30, "Read-only file system")


@pytest.mark.parametrize("where", ["", "below/it"])
def test_it_never_gets_into_a_repository(tmp_path: Path, where: str) -> None:
    (tmp_path / ".git").mkdir()
    folder = tmp_path / where
    folder.mkdir(parents=True, exist_ok=True)
    TokenFile(folder, *US).keep("head.claims.sign", DAY)
    assert not (folder / NAME).exists()


def test_a_token_of_minutes_is_not_worth_a_file(tmp_path: Path) -> None:
    TokenFile(tmp_path, *US).keep("head.claims.sign", 60)
    assert list(tmp_path.iterdir()) == []
