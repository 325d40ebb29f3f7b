"""Everything around proxysync, each thing looked at for itself: nothing is changed anywhere."""

from collections.abc import Mapping

from proxysync.app.access import load_config
from proxysync.app.doctor import edge, file, machine, npm, state
from proxysync.app.doctor.check import Check, Diagnosis
from proxysync.app.doctor.steps import Step, run
from proxysync.config.environment import Environment
from proxysync.config.errors import ConfigError
from proxysync.config.models import Config, Settings
from proxysync.config.source import failure
from proxysync.git.errors import GitError
from proxysync.model.errors import ProxysyncError

WITHIN = 13.0
"""Seconds that all of it may take: it is asked for when something hangs."""

__all__ = ["Check", "Diagnosis", "diagnose"]


def diagnose(
    env: Environment, environ: Mapping[str, str], trouble: ProxysyncError | None = None
) -> Diagnosis:
    """Looks at all of it. `trouble` is what is wrong with the settings of `environ`, of which `env`
    then has the others.
    """
    found = _load(env, environ)
    config = found if isinstance(found, Config) else None
    settings = config.settings if config else Settings()
    steps = (
        Step("settings", lambda: _settings(env, trouble)),
        *file.steps(env, environ, found),
        *state.steps(env),
        *npm.steps(env, config),
        *machine.steps(env, settings),
        *edge.steps(env, settings),
    )
    return Diagnosis(run(steps, WITHIN), config.secrets if config else {})


def _load(env: Environment, environ: Mapping[str, str]) -> Config | ConfigError:
    try:
        return load_config(env, environ)
    except GitError as error:
        return failure(str(env.file), error.message, error.hint)
    except ConfigError as error:
        return error


def _settings(env: Environment, trouble: ProxysyncError | None) -> Check:
    if trouble is not None:
        raise trouble
    env.require_npm()
    return Check.ok(f"NPM is {env.npm_url}, and its user {env.identity}; the secret is there")
