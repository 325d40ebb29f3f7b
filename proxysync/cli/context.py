"""What commands begin with: the environment, no secret of which is shown."""

import argparse
import os

from proxysync.app.state_folder import earlier_secrets
from proxysync.apply.machine import daemons
from proxysync.cli import terminal
from proxysync.config.api_settings import TOKEN
from proxysync.config.environment import Environment, read_environment
from proxysync.config.service import Service, read_service
from proxysync.config.variables import SHORTEST_SECRET, handed_over

FLAGS = (
    "file",
    "state_dir",
    "npm_url",
    "npm_identity",
    "npm_secret",
    "npm_secret_file",
    "npm_ca_file",
    "tags",
)


NPM = "PROXYSYNC_NPM_"
"""How the settings begin that say where NPM is."""

BESIDE_A_DAEMON = frozenset(
    (
        *("plan", "apply", "status", "events", "history", "rollback"),
        *("import", "adopt", "release", "pause", "resume"),
    )
)
"""Commands that mean little with another state than that of the daemon."""

URL, FILE, GIT = "PROXYSYNC_NPM_URL", "PROXYSYNC_FILE", "PROXYSYNC_GIT_URL"
SECRETS = frozenset(("PROXYSYNC_NPM_SECRET", "PROXYSYNC_NPM_SECRET_FILE"))

OWN_SETTINGS = {
    **dict.fromkeys((*BESIDE_A_DAEMON, "doctor"), (URL,)),
    **dict.fromkeys(("validate", "add", "set", "remove"), (URL, FILE, GIT)),
}
"""Of which settings one at least makes a command need none of the service's."""


def environment(arguments: argparse.Namespace) -> Environment:
    """Settings from the environment, flags winning. No output shows a secret from then on."""
    service = _service_beside(arguments)
    env = read_environment(os.environ, overrides=_flags(arguments))
    _hide_secrets(env)
    if service is not None:
        terminal.note(
            f"Note: nothing here names NPM, so this uses what the service has ({service.source}): "
            f"the file {env.file} and the state folder {env.state_dir}"
        )
    if arguments.command in BESIDE_A_DAEMON:
        _tell_of_other_states(env)
    return env


def _service_beside(arguments: argparse.Namespace) -> Service | None:
    """The service whose settings this command has now, where it has none of its own.

    Raises SettingError.
    """
    flags = _flags(arguments)
    two_files = getattr(arguments, "against", None) is not None  # nobody is asked for anything
    names = () if two_files else OWN_SETTINGS.get(arguments.command, ())
    own = {name for name in (*names, *SECRETS) if os.environ.get(name) or flags.get(name)}
    service = None if not names or own & {*names} else read_service()
    if service is not None:
        unwanted = SECRETS if own & SECRETS else frozenset()
        for name, value in service.environ.items():
            if name not in unwanted and not os.environ.get(name):
                os.environ[name] = value  # as systemd does it to the daemon
    return service


def without_npm(arguments: argparse.Namespace) -> Environment:
    """The same, but for where NPM is and who asks it: something may be wrong with that."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(NPM)}
    flags = {name: value for name, value in _flags(arguments).items() if not name.startswith(NPM)}
    return read_environment(given, overrides=flags)


def _flags(arguments: argparse.Namespace) -> dict[str, str | None]:
    return {f"PROXYSYNC_{name.upper()}": getattr(arguments, name, None) for name in FLAGS}


def _hide_secrets(env: Environment) -> None:
    npm_secret = env.secret.reveal() if env.secret else None
    ours = {"PROXYSYNC_NPM_SECRET": npm_secret, TOKEN: os.environ.get(TOKEN)}
    revealed = {text: f"${{{name}}}" for name, text in ours.items() if text}
    terminal.hide({text: shown for text, shown in revealed.items() if len(text) >= SHORTEST_SECRET})
    terminal.hide(earlier_secrets(env.state_dir))
    terminal.hide(handed_over(os.environ))


def _tell_of_other_states(env: Environment) -> None:
    """Says so where this is not the state of the daemon that keeps the same NPM."""
    found = daemons(env.npm_url) if env.npm_url else []
    if any(daemon.has_state(env.state_dir) for daemon in found):
        return
    for daemon in found:
        folder = terminal.safe(str(daemon.state))
        terminal.note(
            f"Note: the daemon (pid {daemon.pid}) for this NPM keeps its state in {folder}, and "
            f"this command uses {env.state_dir}: name the other with --state-dir {folder} or "
            "PROXYSYNC_STATE_DIR"
        )
