"""The file and the settings from the environment; knows neither NPM nor the network.

What is named here is imported when it is first used, for pydantic takes its time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxysync.config.environment import Environment, Secret, read_environment
    from proxysync.config.load import ConfigError, Problem, fingerprint, load_text
    from proxysync.config.models import Config, Location, Proxy, Settings

_HOMES = {
    "Config": "models",
    "ConfigError": "errors",
    "Environment": "environment",
    "Location": "models",
    "Problem": "errors",
    "Proxy": "models",
    "Secret": "environment",
    "Settings": "models",
    "fingerprint": "load",
    "load_text": "load",
    "read_environment": "environment",
}

__all__ = [
    "Config",
    "ConfigError",
    "Environment",
    "Location",
    "Problem",
    "Proxy",
    "Secret",
    "Settings",
    "fingerprint",
    "load_text",
    "read_environment",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
