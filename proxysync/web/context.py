"""What all requests share: settings, the one view of how all is, and the live events."""

from collections.abc import Mapping
from functools import partial

from proxysync.app.access import connect
from proxysync.app.definitions import Definitions
from proxysync.app.kept_file import KeptFile
from proxysync.app.look import LookAside
from proxysync.app.status_view import StatusView
from proxysync.app.vitals import Vitals
from proxysync.config.api_settings import ApiSettings
from proxysync.config.environment import Environment
from proxysync.config.variables import SHORTEST_SECRET, handed_over
from proxysync.npm.client import NpmClient
from proxysync.npm.patience import Patience
from proxysync.web.board import Board
from proxysync.web.broadcast import Broadcast
from proxysync.web.feed import Feed
from proxysync.web.instruments import Instruments

NPM_PATIENCE = 12.0
"""Seconds without any answer of NPM after which it counts as away."""


class Context:
    """Made once for a server. To be closed."""

    def __init__(
        self,
        settings: ApiSettings,
        env: Environment,
        environ: Mapping[str, str],
        vitals: Vitals,
    ) -> None:
        self.settings = settings
        self.env = env
        self.environ = environ
        self.vitals = vitals
        self.instruments = vitals.gauges = Instruments()
        self.file = KeptFile(env, environ)
        self.definitions = Definitions(env)
        self.look = LookAside(partial(_connect, env, vitals))
        view = StatusView(self.file.load, self.look, env.state_dir, place=env.place)
        self.board = Board(view, self.look)
        self.broadcast = Broadcast()
        hearers = (self.board.hear, self.broadcast.hear, self.instruments.hear)
        self.feed = Feed(env.state_dir, self.broadcast.begin, *hearers)

    @property
    def secrets(self) -> Mapping[str, str]:
        """What no answer may hold, beside the secrets that the use cases leave out themselves."""
        ours = {"PROXYSYNC_NPM_SECRET": self.env.secret, "PROXYSYNC_API_TOKEN": self.settings.token}
        own = {secret.reveal(): f"${{{name}}}" for name, secret in ours.items() if secret}
        own = {text: shown for text, shown in own.items() if len(text) >= SHORTEST_SECRET}
        return {**own, **handed_over(self.environ)}

    def close(self) -> None:
        """Closes the state."""
        self.board.close()


def _connect(env: Environment, vitals: Vitals) -> NpmClient:
    return connect(env, patience=Patience(NPM_PATIENCE), on_exchange=vitals.exchanged)
