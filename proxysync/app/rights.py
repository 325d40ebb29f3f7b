"""What the account lacks in NPM for what is managed: told once for each run, not for each entry."""

from collections.abc import Mapping

from proxysync.config.models import Config
from proxysync.npm.client import NpmClient
from proxysync.store.state import State


def account_warnings(npm: NpmClient, config: Config | None, state: State | None) -> tuple[str, ...]:
    """What the account may not see, and what it may not manage. Raises NpmError."""
    found = (npm.visibility_warning(), rights_warning(npm.denied(), config, state))
    return tuple(warning for warning in found if warning)


def rights_warning(
    denied: Mapping[str, str], config: Config | None, state: State | None
) -> str | None:
    """Which kinds of the file or the state the account may not manage, and what to do about it.

    None where it may manage them all.
    """
    if not denied:
        return None
    managed = {resource.key.kind for resource in (config.resources if config else ())}
    managed |= {row.kind for row in (state.applied() if state else ())}
    lacking = [why for kind, why in denied.items() if kind in managed]
    if not lacking:
        return None
    return " ".join([*lacking, "Until then, what NPM has of these is left as it is."])
