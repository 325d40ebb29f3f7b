"""What the proxysyncs of one machine know of each other."""

import socket
from pathlib import Path

import pytest

from proxysync.apply import machine
from proxysync.apply.machine import announced, daemons, npm_keys, try_lock
from proxysync.model.errors import ProxysyncError


def shared(*urls: str) -> bool:
    return bool(set.intersection(*(set(npm_keys(url)) for url in urls)))


def test_all_spellings_of_one_npm_have_a_key_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shared("http://127.0.0.1:81", "http://localhost:81", "http://LOCALHOST:81/")
    assert shared("http://127.0.0.1:81", "http://[::1]:81") or not socket.has_ipv6
    assert shared("http://localhost", "http://127.0.0.1:80/npm")
    assert not shared("http://127.0.0.1:81", "http://127.0.0.1:82")
    assert not shared("http://192.0.2.1:81", "http://192.0.2.2:81")

    def two(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, 0, 0, "", (address, 81)) for address in ("192.0.2.9", "192.0.2.1")]

    ours = npm_keys("http://192.0.2.1:81")
    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert set(ours) <= set(npm_keys("http://npm.example:81"))


def test_a_name_that_does_not_resolve_is_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert len(npm_keys("http://npm.invalid:81")) == 1
    assert npm_keys("http://npm.invalid:81") == npm_keys("https://NPM.invalid:81/api")


def test_a_lock_is_free_again_once_it_is_closed() -> None:
    first = try_lock("test-free")
    assert first is not None
    assert try_lock("test-free") is None
    first.close()
    second = try_lock("test-free")
    assert second is not None
    second.close()


def test_where_sockets_have_no_abstract_names_a_file_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "ABSTRACT", False)
    monkeypatch.setattr(machine, "FOLDER", tmp_path)
    test_a_lock_is_free_again_once_it_is_closed()
    (tmp_path / "victim").touch()
    (tmp_path / "proxysync-trap.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(ProxysyncError, match="cannot be opened"):
        try_lock("trap")


def test_a_daemon_is_found_while_it_says_so(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9"
    with announced(url, tmp_path):
        for _ in range(3):
            (found,) = daemons("http://localhost:9")
            assert found.state == tmp_path
        assert found.has_state(tmp_path / ".")
        assert not found.has_state(tmp_path / "other")
        assert daemons("http://127.0.0.1:10") == []
    assert daemons(url) == []


def test_whoever_announces_nonsense_is_no_daemon() -> None:
    (key, *_) = npm_keys("http://127.0.0.1:9")
    with socket.socket(socket.AF_UNIX) as liar:
        liar.bind(f"\0proxysync/daemon/{key}/1")
        liar.listen(1)
        assert daemons("http://127.0.0.1:9") == [], "it says nothing at all, too"
