"""A sandbox, and somebody logged in there."""

from collections.abc import Iterator

import pytest

from proxysync.sandbox import Sandbox
from tests.conftest import in_sandbox
from tests.contract.client import Api

ADMIN = {"identity": "admin@example.com", "secret": "changeme"}
NEWEST = (2, 15, 1)


def log_in(npm: Sandbox) -> Api:
    return Api(in_sandbox(npm), version=NEWEST)


@pytest.fixture
def npm() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def api(npm: Sandbox) -> Iterator[Api]:
    client = log_in(npm)
    yield client
    client.close()
