"""Who may come in: the rules and the users of an access list. Pure functions.

All raise InvalidValue with an example of a right value.
"""

from collections.abc import Mapping
from ipaddress import ip_network

from proxysync.values.invalid import InvalidValue, describe

DIRECTIVES = ("allow", "deny")
EVERYBODY = "all"
KEEP = "keep"
"""In place of a password: the one that the user has in NPM stays."""

LONGEST_TITLE = 100

_RULE = "must be a rule such as {allow: 192.168.0.0/16} or {deny: all}"
_USERS = 'must be users such as {alice: "${ALICE_PASSWORD}"} or [alice, bob], not {found}'


def rule(value: object) -> tuple[str, str]:
    """From `{allow: 192.168.0.0/16}` to `("allow", "192.168.0.0/16")`."""
    if isinstance(value, tuple) and len(value) == 2:
        return str(value[0]), str(value[1])
    if not isinstance(value, Mapping):
        raise InvalidValue(f"{_RULE}, not {{found}}", value)
    if len(value) != 1 or next(iter(value)) not in DIRECTIVES:
        raise InvalidValue(f"{_RULE}: each rule is one allow or one deny", None)
    ((directive, address),) = value.items()
    return directive, _address(address)


def _address(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"{_RULE}, not {{found}}", value)
    text = value.strip().lower()
    if text == EVERYBODY:
        return text
    try:
        ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidValue(
            "{found} is no address, and nginx would load nothing with it: write an IPv4 or IPv6 "
            "address, a network such as 192.168.0.0/16, or all",
            value,
        ) from error
    if "%" in text:
        raise InvalidValue("{found} names an interface, which nginx does not take here", value)
    return text


def users(value: object) -> Mapping[str, str | None]:
    """Each user with a password, or None where the one in NPM is left alone."""
    if isinstance(value, list | tuple):
        return _checked(dict.fromkeys(map(_user, value)), len(value))
    if not isinstance(value, Mapping):
        raise InvalidValue(_USERS, value)
    found = {_user(name): _password(item) for name, item in value.items()}
    return _checked(found, len(value))


def _checked(found: Mapping[str, str | None], number: int) -> Mapping[str, str | None]:
    if len(found) != number:
        raise InvalidValue("names a user twice", None)
    return found


def _user(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue(_USERS, value)
    if ":" in value or not value.isprintable() or value != value.strip():
        raise InvalidValue(
            "names a user with a colon or blanks at its ends: browsers send a name up to the "
            "first colon, and blanks are lost",
            None,
        )
    return value


def _password(value: object) -> str | None:
    if value == KEEP:
        return None
    if not isinstance(value, str) or not value:
        # The value is not shown: it is meant to be a password.
        raise InvalidValue(f"must be a password as ${{NAME}}, or {KEEP}", None)
    if not value.isprintable():
        raise InvalidValue("holds a control character, which no browser sends", None)
    return value


def title(value: object) -> str:
    """What an object is called in NPM, where that is no name for an entry."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue("must be what it is called in NPM, not {found}", value)
    if value != value.strip() or not value.isprintable() or len(value) > LONGEST_TITLE:
        raise InvalidValue(
            f"{describe(value)} cannot be a name in NPM: at most {LONGEST_TITLE} characters, and "
            "no blank at its ends",
            value,
        )
    return value
