"""Reads a site's configuration as nginx would, and refuses what `nginx -t` refuses."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from proxysync.sandbox import directives as known

LONGEST_WORD = 4096
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}
_VARIABLE = re.compile(r"\$(?:\{(\w*)(\}?)|(\w*))")
_UPSTREAM = re.compile(r"https?://(\[[^\]]*\]|[^:/?]*)(?::([^/?]*))?(.*)", re.DOTALL)


@dataclass(frozen=True)
class Directive:
    """One directive; `block` is None unless it opens one."""

    name: str
    args: tuple[str, ...]
    block: tuple["Directive", ...] | None = None


@dataclass(frozen=True)
class Parsed:
    """A configuration that reads well.

    `upstreams` and `certificates` have to be looked up at each test, for they may go away.
    """

    servers: tuple[Directive, ...]
    upstreams: tuple[str, ...]
    certificates: tuple[str, ...]


class ConfError(Exception):
    """What nginx says about a bad configuration; `line` is None where it names none."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class _Token:
    kind: str  # "word", or the character itself: ; { }
    text: str
    line: int


def parse(text: str, context: str = known.HTTP) -> Parsed:
    """The configuration as a tree. Raises ConfError at the first thing nginx would refuse.

    `context` is where nginx includes the file: `directives.HTTP` or `directives.STREAM`.
    """
    reader = _Reader(text)
    servers = reader.block(context, "")
    return Parsed(servers, tuple(reader.upstreams), tuple(reader.certificates))


def location_kind(args: tuple[str, ...]) -> tuple[str, str]:
    """(modifier, path) of a location; the modifier is "", "=", "^~", "~", "~*" or "@"."""
    if len(args) == 2:
        if args[0] not in ("=", "^~", "~", "~*"):
            raise ConfError(f'invalid location modifier "{args[0]}"')
        return args[0], args[1]
    for modifier in ("=", "^~", "~*", "~", "@"):
        if args[0].startswith(modifier):
            return modifier, args[0] if modifier == "@" else args[0][len(modifier) :]
    return "", args[0]


def split_upstream(url: str) -> tuple[str, str | None, str]:
    """(host, port or None, URI) of a proxy_pass address. Raises ConfError if it is not one."""
    found = _UPSTREAM.fullmatch(url)
    if not found:
        raise ConfError("invalid URL prefix")
    return found[1], found[2], found[3]


def split_address(text: str) -> tuple[str, str]:
    """(host, port) of the address that a stream goes to. Raises ConfError if it is not one."""
    host, _, port = text.rpartition(":") if not text.startswith("[") else text.partition("]:")
    if not host:
        raise ConfError(f'no host in upstream "{text}"')
    if text.startswith("["):
        host += "]"
    elif ":" in host:
        raise ConfError(f'invalid port in upstream "{text}"')
    return host, port


def _tokens(text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        char = text[at]
        if char.isspace():
            line += char == "\n"
            at += 1
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif char in ";{}":
            yield _Token(char, char, line)
            at += 1
        else:
            word, end = _quoted(text, at, line) if char in "\"'" else _word(text, at)
            if len(word) > LONGEST_WORD:
                raise ConfError(f'too long parameter "{word[:10]}..." started', line)
            line += text.count("\n", at, end)
            yield _Token("word", word, line)
            at = end


def _word(text: str, at: int) -> tuple[str, int]:
    word = []
    while at < len(text):
        char = text[at]
        if char.isspace() or char == ";" or (char == "{" and text[at - 1] != "$"):
            break
        if char == "\\" and at + 1 < len(text):
            char, at = _escaped(text[at + 1]), at + 1
        word.append(char)
        at += 1
    return "".join(word), at


def _quoted(text: str, start: int, line: int) -> tuple[str, int]:
    quote, word, at = text[start], [], start + 1
    while at < len(text) and text[at] != quote:
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            char, at = _escaped(text[at + 1]), at + 1
        word.append(char)
        at += 1
    if at >= len(text):
        last = text.count("\n") + 1
        raise ConfError('unexpected end of file, expecting ";" or "}"', last)
    after = text[at + 1 : at + 2]
    if after and not after.isspace() and after not in ";{)":
        raise ConfError(f'unexpected "{after}"', line)
    return "".join(word), at + 1


def _escaped(char: str) -> str:
    if char in "\"'\\":
        return char
    return _ESCAPES.get(char, "\\" + char)


@dataclass
class _Reader:
    text: str
    upstreams: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tokens = _tokens(self.text)
        self._variables: set[str] = set(re.findall(r"\bset\s+\$(\w+)", self.text))

    def block(self, context: str, location: str) -> tuple[Directive, ...]:
        """The directives up to the closing brace, or to the end of the file at the top."""
        found: list[Directive] = []
        words: list[str] = []
        for token in self._tokens:
            if token.kind == "word":
                words.append(token.text)
            elif token.kind == "}":
                if words or context in known.TOP:
                    raise ConfError('unexpected "}"', token.line)
                return tuple(found)
            elif not words:
                raise ConfError(f'unexpected "{token.kind}"', token.line)
            else:
                try:
                    found.append(self._directive(words, token, context, location, found))
                except ConfError as error:
                    # An inner block has named its line already.
                    raise ConfError(error.message, error.line or token.line) from None
                words = []
        if words or context not in known.TOP:
            end = '";" or "}"' if words else '"}"'
            last = self.text.count("\n") + 1
            raise ConfError(f"unexpected end of file, expecting {end}", last)
        return tuple(found)

    def _directive(
        self, words: list[str], token: _Token, context: str, outer: str, before: list[Directive]
    ) -> Directive:
        name, args = words[0], tuple(words[1:])
        if context == "types":
            return Directive(name, args)
        _check_place(name, context, opens=token.kind == "{")
        _check_arguments(name, args)
        if name not in known.REPEATABLE and any(one.name == name for one in before):
            raise ConfError(f'"{name}" directive is duplicate')
        if name in known.EXPANDS:
            for arg in args:
                self._check_variables(arg)
        if name == "proxy_pass" and context == known.STREAM_SERVER:
            self.upstreams.append(split_address(args[0])[0])
        elif name == "proxy_pass":
            self._check_upstream(args[0], outer, inside_if=context == known.IF)
        if name == "ssl_certificate":
            self.certificates.append(args[0])
        if name in _CHECKS:
            _CHECKS[name](args)
        if token.kind == ";":
            return Directive(name, args)
        if name == "location":
            _check_location(args, outer, before)
            outer = " ".join(args)
        return Directive(name, args, self.block(_inner_context(name, context), outer))

    def _check_variables(self, arg: str) -> None:
        for braced, closed, plain in _VARIABLE.findall(arg):
            name = braced or plain
            if not name:
                raise ConfError("invalid variable name")
            if braced and not closed:
                raise ConfError(f'the closing bracket in "{name}" variable is missing')
            lower = name.lower()
            if not (
                lower in known.VARIABLES
                or lower.startswith(known.VARIABLE_PREFIXES)
                or name in self._variables
                or name.isdigit()
            ):
                raise ConfError(f'unknown "{name}" variable')

    def _check_upstream(self, url: str, location: str, *, inside_if: bool) -> None:
        if "$" in url:
            return
        host, port, uri = split_upstream(url)
        if not host:
            raise ConfError(f'no host in upstream "{url.partition("//")[2]}"')
        if port is not None and not (port.isdigit() and 0 < int(port) < 65536):
            raise ConfError(f'invalid port in upstream "{url.partition("//")[2]}"')
        modifier, _ = location_kind(tuple(location.split(" ", 1)))
        if uri and (modifier in ("~", "~*", "@") or inside_if):
            raise ConfError(
                '"proxy_pass" cannot have URI part in location given by regular expression, '
                'or inside named location, or inside "if" statement, or inside "limit_except" block'
            )
        self.upstreams.append(host)


def _inner_context(name: str, context: str) -> str:
    if context == known.STREAM:
        return known.STREAM_SERVER
    return name if name in (known.SERVER, known.LOCATION, known.IF, "types") else known.LOCATION


def _check_place(name: str, context: str, *, opens: bool) -> None:
    places = known.BLOCKS.get(name, known.SIMPLE.get(name))
    if places is None:
        raise ConfError(f'unknown directive "{name}"')
    if context not in places:
        raise ConfError(f'"{name}" directive is not allowed here')
    if opens and name not in known.BLOCKS:
        raise ConfError(f'directive "{name}" is not terminated by ";"')
    if not opens and name in known.BLOCKS:
        raise ConfError(f'directive "{name}" has no opening "{{"')


def _check_arguments(name: str, args: tuple[str, ...]) -> None:
    fewest, most = known.ARGUMENTS.get(name, (1, 99))
    if not fewest <= len(args) <= most:
        raise ConfError(f'invalid number of arguments in "{name}" directive')
    if name in known.FLAGS and args[0] not in ("on", "off"):
        raise ConfError(
            f'invalid value "{args[0]}" in "{name}" directive, it must be "on" or "off"'
        )
    bad_size = name in known.SIZES and not re.fullmatch(r"\d+[kKmMgG]?", args[0])
    bad_time = name in known.TIMES and not re.fullmatch(r"(\d+(ms|[smhdwMy])?\s*)+", args[0])
    if bad_size or bad_time:
        raise ConfError(f'"{name}" directive invalid value')


def _check_location(args: tuple[str, ...], outer: str, before: list[Directive]) -> None:
    modifier, path = location_kind(args)
    if modifier in ("~", "~*"):
        try:
            re.compile(path)
        except re.error as error:
            raise ConfError(f'pcre2_compile() failed: {error} in "{path}"') from None
        return
    if outer and modifier != "@" and not path.startswith(location_kind(tuple(outer.split(" ")))[1]):
        raise ConfError(f'location "{path}" is outside location "{outer}"')
    taken = [location_kind(one.args) for one in before if one.name == "location"]
    alike = ("=",) if modifier == "=" else ("", "^~")
    if modifier != "@" and any((kind, path) in taken for kind in alike):
        raise ConfError(f'duplicate location "{path}"')


def _check_set(args: tuple[str, ...]) -> None:
    if not re.fullmatch(r"\$\w+", args[0]):
        raise ConfError(f'invalid variable name "{args[0]}"')


def _check_client(args: tuple[str, ...]) -> None:
    try:
        if args[0] not in ("all", "unix:"):
            # Python would take an IPv6 zone; nginx does not.
            ipaddress.ip_network(args[0].replace("%", "/zone"), strict=False)
    except ValueError:
        raise ConfError(f'invalid parameter "{args[0]}"') from None


def _check_names(args: tuple[str, ...]) -> None:
    for name in args:
        if name in ("", "*", "*.", ".") or (name.startswith("*") and name[1:2] != "."):
            raise ConfError(f'server name "{name}" is invalid')
        inner = name.removeprefix("*.") if name.startswith("*.") else name.removesuffix(".*")
        if "*" in inner or ".." in name or "\0" in name:
            raise ConfError(f'invalid server name or wildcard "{name}" on 0.0.0.0:80')


def _check_include(args: tuple[str, ...]) -> None:
    if "*" not in args[0] and not args[0].startswith("conf.d/include/"):
        raise ConfError(f'open() "{args[0]}" failed (2: No such file or directory)')


def _check_satisfy(args: tuple[str, ...]) -> None:
    if args[0] not in ("all", "any"):
        raise ConfError(f'invalid value "{args[0]}"')


_CHECKS: dict[str, Callable[[tuple[str, ...]], None]] = {
    "allow": _check_client,
    "deny": _check_client,
    "include": _check_include,
    "satisfy": _check_satisfy,
    "server_name": _check_names,
    "set": _check_set,
}
