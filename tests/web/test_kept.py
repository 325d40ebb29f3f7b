"""What is read once for all who ask: nobody is kept waiting, and nobody gets what is old."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxysync.app.access import load_config
from proxysync.app.kept_file import KeptFile
from proxysync.app.look import LookAside
from proxysync.config.environment import Environment, read_environment
from proxysync.config.models import Config
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmUnavailableError
from tests.world import sooner_than

ONE = "proxies: {one: {domains: [one.example.com], upstream: 'http://10.0.0.5'}}"


def test_a_frozen_npm_is_waited_for_once() -> None:
    thawed = threading.Event()

    def connect() -> NpmClient:
        thawed.wait(60)
        raise NpmUnavailableError("it is away")

    look = LookAside(connect, patience=0.5)
    with sooner_than(3):
        found = [look() for _ in range(10)]
    thawed.set()
    assert {seen.trouble.code for seen in found if seen.trouble} == {"npm.unavailable"}


def test_who_asks_while_the_file_is_read_anew_does_not_get_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = read_environment({"PROXYSYNC_FILE": str(tmp_path / "proxies.yaml")}, overrides={})
    env.file.write_text(ONE)
    file = KeptFile(env, {})
    old = file.load()
    env.file.write_text(ONE.replace("one", "two"))
    begun, go_on = threading.Event(), threading.Event()

    def slowly(env: Environment, environ: dict[str, str]) -> Config:
        begun.set()
        go_on.wait(30)
        return load_config(env, environ)

    monkeypatch.setattr("proxysync.app.kept_file.load_config", slowly)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(file.load)
        begun.wait(30)
        second = pool.submit(file.load)
        go_on.set()
        assert first.result() is second.result()
    assert file.load().fingerprint != old.fingerprint
    env.file.write_text("[")
    assert file.last_valid() is first.result()
