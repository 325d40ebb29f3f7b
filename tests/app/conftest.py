"""The use cases inside this process, beside a sandbox."""

import os

import pytest

from proxysync.app.access import connect, load_config
from proxysync.config.environment import Environment, read_environment
from proxysync.config.models import Config
from proxysync.npm.client import NpmClient
from tests.world import World


class Door:
    """What a door other than the command line has: the environment, the file, and NPM."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.env: Environment = read_environment(world.env, overrides={})
        self.npm: NpmClient = connect(self.env)

    def config(self) -> Config:
        return load_config(self.env, {**os.environ, **self.world.env})


@pytest.fixture
def door(small_world: World) -> Door:
    return Door(small_world)
