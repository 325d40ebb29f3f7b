"""Throwaway hosts: made, looked at and removed again, under a name that can be nobody's."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from proxysync.kinds import RELOADER, RESERVED_SUFFIX, Kind
from proxysync.kinds.refusal import refusal_of
from proxysync.model import Fields, Marker
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmError, NpmUnconfirmedError

Look = Callable[[str], str | None]
"""What visitors of the name have to say against it."""


def try_out(
    npm: NpmClient, kind: Kind, fields: Fields, marker: Marker, look: Look | None = None
) -> str | None:
    """Why the definition cannot be used, as it fared on a host that is gone again; None if it can.

    What nginx takes is looked at while it is there.
    Raises NpmError; then nothing else was written to, so there is nothing to confirm.
    """
    name = f"canary-{secrets.token_hex(4)}{RESERVED_SUFFIX}"
    with thrown_away(npm, kind):
        canary = npm.create(kind, kind.with_claims(fields, frozenset({name})), marker)
        refused = canary.online is False
        trouble = look(name) if look and not refused else None
        npm.delete(kind, canary.npm_id)
    return f"nginx refuses it: {refusal_of(canary)}" if refused else trouble


def try_out_upload(
    npm: NpmClient, kind: Kind, fields: Fields, texts: Mapping[str, str], marker: Marker
) -> str | None:
    """Why nginx cannot serve a throwaway host with what is to be uploaded; both are gone again.

    Raises as `try_out` does.
    """
    name = f"canary-{secrets.token_hex(4)}{RESERVED_SUFFIX}"
    definition = RELOADER.placeholder_definition(name)
    with thrown_away(npm, kind):
        made = npm.create(
            kind, {**fields, **dict.fromkeys(kind.fixed, name)}, marker, secrets=texts
        )
        used = {f: made.npm_id for f, name in RELOADER.refers_to.items() if name == kind.name}
        try:
            trouble = try_out(npm, RELOADER, {**definition, **used}, marker)
        except NpmError:
            with suppress(NpmError):  # else the next run removes it
                npm.delete(kind, made.npm_id)
            raise
        npm.delete(kind, made.npm_id)
    return trouble


@contextmanager
def thrown_away(npm: NpmClient, kind: Kind) -> Iterator[None]:
    """In here only a throwaway host is written to: no error says that something is unconfirmed."""
    try:
        yield
    except NpmUnconfirmedError as error:
        if error.live is not None:
            # What cannot be removed now is removed at the start of the next run.
            with suppress(NpmError):
                npm.delete(kind, error.live.npm_id)
        raise NpmError(error.message, hint=error.hint, code=error.code) from error


def reload_nginx(npm: NpmClient, instance: str) -> None:
    """Has nginx load what NPM has on disk by now, without a write to any real host.

    Raises NpmError.
    """
    marker = Marker("reload", instance, canary=True)
    definition = RELOADER.placeholder_definition(f"reload{RESERVED_SUFFIX}")
    try_out(npm, RELOADER, definition, marker)
