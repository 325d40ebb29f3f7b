"""Names as they may stand in the file: of entries, domains and hosts. Pure functions.

All raise InvalidValue with an example of a right value.
"""

import re
from ipaddress import IPv4Address, IPv6Address

from proxysync.values.invalid import InvalidValue, suggestion

EXAMPLE = "media.example.com"
MAX_DOMAINS = 100
LONGEST_NAME = 253
LONGEST_ENTRY_NAME = 100

VARIABLE_NAME = "[A-Za-z_][A-Za-z0-9_]{0,99}"
_VARIABLE = re.compile(VARIABLE_NAME, re.ASCII)
ENTRY_NAME = f"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_ENTRY_NAME - 1}}}"
_ENTRY = re.compile(ENTRY_NAME, re.ASCII)
_LABEL = re.compile(r"[a-z0-9_-]{1,63}", re.ASCII)
_PART = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_PLAIN_DOMAIN = re.compile(
    rf"(?=.{{1,{LONGEST_NAME}}}\Z)(?:\*\.)?(?:{_PART}\.)*(?![0-9]+\Z){_PART}"
)
"""What is written as it is to be, as nearly all domains are; any other is looked at in detail."""

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")

_WHITE = {" ": "a blank", "\t": "a tab", "\n": "a line break", "\r": "a line break"}


def entry_name(value: object) -> str:
    """The name of a proxy or an instance, unchanged."""
    if not isinstance(value, str):
        raise InvalidValue('must be a name such as "media", not {found}', value)
    if not _ENTRY.fullmatch(value):
        raise InvalidValue(
            "{found} is not a name: up to 100 letters, digits, dots, hyphens and underscores, "
            "starting with a letter or a digit, such as media or media-2",
            value,
        )
    return value


def tags(value: object) -> tuple[str, ...]:
    """A list of tags, each written like the name of an entry, in the order of the file."""
    if not isinstance(value, list | tuple):
        raise InvalidValue("must be a list such as [nas, edge], not {found}", value)
    return tuple(dict.fromkeys(entry_name(item) for item in value))


def variable_name(value: object) -> str:
    """The name by which `${NAME}` stands for something, unchanged."""
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise InvalidValue(
            "{found} is not a name that ${…} can hold: up to 100 letters, digits and underscores, "
            "not starting with a digit, such as domain or NAS_2",
            value,
        )
    return value


def domain(value: object) -> str:
    """A domain that a proxy answers to: lower-case punycode without a trailing dot."""
    if not isinstance(value, str):
        raise InvalidValue(f"must be a domain such as {EXAMPLE}, not {{found}}", value)
    if _PLAIN_DOMAIN.fullmatch(value):
        return value
    _refuse_what_is_no_name(value)
    if not value.isascii():
        value = _remap(value)
    prefix, rest = ("*.", value[2:]) if value.startswith("*.") else ("", value)
    if value == "*":
        raise InvalidValue(
            "a lone * is no domain: name it, such as *.example.com for all names below one", value
        )
    if rest.startswith("*."):
        raise InvalidValue("{found} has two wildcards: only the first label can be one", value)
    if rest.endswith(".*"):
        raise InvalidValue("{found} has its wildcard last: it can only be the first label", value)
    if "*" in rest:
        raise InvalidValue(
            "{found} has a * inside a label: it can only be the whole first one, "
            "such as *.example.com",
            value,
        )
    return prefix + _checked_host(rest, longest=LONGEST_NAME - len(prefix))


def domain_list(value: object) -> tuple[object, ...]:
    """1 to 100 items; a text is taken as a list of one."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        raise InvalidValue(f"must be a list of domains such as [{EXAMPLE}], not {{found}}", value)
    if not 1 <= len(value) <= MAX_DOMAINS:
        raise InvalidValue(f"needs 1 to {MAX_DOMAINS} domains, and has {len(value)}", value)
    return tuple(value)


def host(text: str) -> str:
    """The host of an upstream: a lower-case punycode name or an IPv4 address."""
    if _IPV4.fullmatch(text):
        return text
    return _checked_host(text if text.isascii() else _remap(text), longest=LONGEST_NAME)


def white_space(text: str) -> str | None:
    """What kind of white space or control character the text holds, if any."""
    if text.isprintable() and " " not in text:
        return None
    for character in text:
        if character in _WHITE:
            return _WHITE[character]
        if character.isspace():
            return "a blank"
        if not character.isprintable():
            return "a control character"
    return None


def is_ipv6(text: str) -> bool:
    """Whether the text is an IPv6 address without brackets; a zone does not matter."""
    if ":" not in text:
        return False
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _refuse_what_is_no_name(text: str) -> None:
    """Things that people take for a domain, each with its own message."""
    if not text or text.isspace():
        raise InvalidValue(f"is empty: give a domain such as {EXAMPLE}", text)
    if "@" in text:
        # The value is not shown: what stands before the @ may be a password.
        raise InvalidValue(f"holds a @: give the domain alone, such as {EXAMPLE}", None)
    if white := white_space(text):
        raise InvalidValue(f"{{found}} holds {white}: give one domain, such as {EXAMPLE}", text)
    if "$" in text:
        raise InvalidValue(
            f"{{found}} holds a $: nginx variables are no domains, give one such as {EXAMPLE}", text
        )
    if text.startswith("[") or is_ipv6(text):
        raise InvalidValue(
            f"{{found}} is an IPv6 address, which cannot be a domain here: give one such as "
            f"{EXAMPLE}",
            text,
        )
    if "://" in text:
        raise InvalidValue(
            f"{{found}} is a URL: give the domain alone, such as {EXAMPLE}",
            text,
            hint=suggestion(re.split(r"[/:?#]", text.partition("://")[2])[0], domain),
        )
    for character, what in (("/", "path"), (":", "port")):
        if character in text:
            raise InvalidValue(
                f"{{found}} holds a {what}: give the domain alone, such as {EXAMPLE}",
                text,
                hint=suggestion(re.split("[/:]", text)[0], domain),
            )


def _remap(text: str) -> str:
    """Unicode to punycode by UTS 46, label by label, so that an underscore may stand in others."""
    import idna  # noqa: PLC0415 - few files have a name that needs its tables

    if len(text) > LONGEST_NAME:
        raise InvalidValue(_too_long(LONGEST_NAME), text)
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        labels = mapped.split(".")
        return ".".join(
            label if label.isascii() else idna.alabel(label).decode("ascii") for label in labels
        )
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidValue(
            "{found} has characters that cannot stand in a domain name", text
        ) from error


def _checked_host(text: str, *, longest: int) -> str:
    text = text.lower().removesuffix(".")
    if not text:
        raise InvalidValue(f"has no name in it: give one such as {EXAMPLE}", text)
    if len(text) > longest:
        raise InvalidValue(_too_long(longest), text)
    if text.startswith("."):
        raise InvalidValue("{found} starts with a dot: for all names below, write *.", text)
    labels = text.split(".")
    if "" in labels:
        raise InvalidValue(f"{{found}} has two dots in a row: write it like {EXAMPLE}", text)
    if any(len(label) > 63 for label in labels):
        raise InvalidValue("{found} has a part of more than 63 characters between dots", text)
    if any(label.startswith("-") or label.endswith("-") for label in labels):
        raise InvalidValue("{found} has a part that starts or ends with a hyphen", text)
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidValue(
            "{found} has a character other than letters, digits, hyphens, underscores and dots: "
            f"write it like {EXAMPLE}",
            text,
        )
    if labels[-1].isdigit():
        _require_ipv4(text)
    return text


def _require_ipv4(text: str) -> None:
    if _IPV4.fullmatch(text):
        return
    try:
        IPv4Address(text)
    except ValueError as error:
        raise InvalidValue(
            "{found} ends in a number and is no IPv4 address such as 10.0.0.5", text
        ) from error


def _too_long(longest: int) -> str:
    return f"is too long for a domain name: {longest} characters at most"
