"""Fixtures for the probe's tests."""

from collections.abc import Iterator

import pytest

from tests.probe.servers import NameServer


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()
