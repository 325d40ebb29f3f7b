"""The look-alike of nginx: configuration files, the test of them, and what is being served."""

import os
import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from proxysync.sandbox import directives as known
from proxysync.sandbox.conf import ConfError, Directive, Parsed, parse, split_address
from proxysync.sandbox.forwarding import Forward, Forwarding

FileName = tuple[str, int]
_STREAMS = "stream"
_FOLDERS = ("proxy_host", "redirection_host", "dead_host", _STREAMS)


class NginxError(Exception):
    """What `nginx -t` printed."""


@dataclass(frozen=True)
class _File:
    """A file as it is on disk: `parsed` is None if nginx cannot read it, and `error` says why."""

    parsed: Parsed | None = None
    error: ConfError | None = None


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate's files: what serves them, or why nginx cannot load them.

    Neither is there for a stand-in that only has to exist.
    """

    context: ssl.SSLContext | None = None
    refusal: str | None = None


@dataclass
class Nginx:
    """Files are written and removed at once; what is served changes with a reload only.

    `users` are the password files of the access lists, by the id of the list; nginx reads them
    at each request. `certificates` are the files of certificates, by id. `unresolvable` are the
    host names that no resolver knows, and `broken` a fault in some file that is not a host's.
    `forwarding` serves the streams. While it `loses_files`, none that NPM writes is there when it
    reloads. For `lag` seconds after a reload old workers go on answering, beside the new ones for
    the second half of that time.
    """

    unresolvable: set[str] = field(default_factory=set)
    users: dict[int, dict[str, str]] = field(default_factory=dict)
    certificates: dict[int, CertificateFiles] = field(default_factory=dict)
    broken: str | None = None
    serving: tuple[Directive, ...] = ()
    serving_certificates: Mapping[int, CertificateFiles] = field(default_factory=dict)
    forwarding: Forwarding = field(default_factory=Forwarding)
    lag: float = 0.0
    loses_files: bool = False

    def __post_init__(self) -> None:
        self._before: tuple[Directive, ...] = ()
        self._reloaded = 0.0
        self._turn = 0
        self._files: dict[FileName, _File] = {}

    def write(self, name: FileName, text: str) -> None:
        """Puts a host's file in place, untested."""
        try:
            context = known.STREAM if name[0] == _STREAMS else known.HTTP
            self._files[name] = _File(parse(text, context))
        except ConfError as error:
            self._files[name] = _File(error=error)

    def remove(self, name: FileName) -> None:
        """Deletes a host's file if there is one."""
        self._files.pop(name, None)

    def test(self) -> None:
        """Raises NginxError if any file is bad, whosever it is."""
        if self.broken is not None:
            raise NginxError(_printed(self.broken, None, None))
        taken: set[tuple[str, bool]] = set()
        for name, file in self._in_order():
            if file.error:
                raise NginxError(_printed(file.error.message, name, file.error.line))
            self._look_up(name, file)
            if name[0] == _STREAMS and file.parsed:
                _check_ports(name, file.parsed, taken)

    def reload(self) -> None:
        """Serves what the files say. Raises NginxError, and changes nothing, if the test fails.

        The test does not notice a port that is taken; then all stays as it was, and nobody hears.
        """
        self.test()
        contexts = {number: files.context for number, files in self.certificates.items()}
        before = self.answering
        if self.forwarding.change(self._forwards(), contexts):
            self.serving = tuple(self._servers(streams=False))
            self.serving_certificates = dict(self.certificates)
            self._before, self._reloaded = before, time.monotonic()

    @property
    def answering(self) -> tuple[Directive, ...]:
        """What the worker serves that happens to take the next connection."""
        age = time.monotonic() - self._reloaded
        if age >= self.lag:
            return self.serving
        self._turn += 1
        return self._before if age < self.lag / 2 or self._turn % 2 else self.serving

    def configure(self, name: FileName, text: str) -> str | None:
        """NPM's way to bring one host up: None, or why nginx refuses its file, then removed.

        Raises NginxError if the configuration was broken beforehand; the host is untouched then.
        """
        self.test()
        self.remove(name)
        self.write(name, text)
        refusal = None
        try:
            self.test()
        except NginxError as error:
            refusal = str(error)
            self.remove(name)
        if self.loses_files:
            self.remove(name)
        self.reload()
        return refusal

    def resolves(self, host: str) -> bool:
        """Whether the host is an address or a name that is not known to be unresolvable."""
        if host.startswith("["):
            return True
        numbers = host.split(".")
        if len(numbers) == 4 and all(part.isdigit() for part in numbers):
            return all(int(part) < 256 for part in numbers)
        name = host.lower().rstrip(".")
        if not re.fullmatch(r"[\w.-]+", name):
            return False
        return not name.endswith(".invalid") and name not in self.unresolvable

    def _servers(self, *, streams: bool) -> Iterator[Directive]:
        for (folder, _), file in self._in_order():
            if file.parsed and (folder == _STREAMS) is streams:
                yield from file.parsed.servers

    def _forwards(self) -> Iterator[Forward]:
        for server in self._servers(streams=True):
            said = {one.name: one.args for one in server.block or ()}
            if "udp" not in said["listen"]:
                host, port = split_address(said["proxy_pass"][0])
                certificate = (
                    certificate_id(said["ssl_certificate"][0]) if "ssl_certificate" in said else 0
                )
                yield Forward(int(said["listen"][0]), host, int(port), certificate)

    def _in_order(self) -> list[tuple[FileName, _File]]:
        def place(item: tuple[FileName, _File]) -> tuple[int, str]:
            folder, number = item[0]
            return _FOLDERS.index(folder), f"{number}.conf"

        return sorted(self._files.items(), key=place)

    def _look_up(self, name: FileName, file: _File) -> None:
        if file.parsed is None:
            return
        for host in file.parsed.upstreams:
            if not self.resolves(host):
                raise NginxError(_printed(f'host not found in upstream "{host}"', name, 1))
        for path in file.parsed.certificates:
            files = self.certificates.get(certificate_id(path))
            if files is None:
                text = f'cannot load certificate "{path}": BIO_new_file() failed'
                raise NginxError(_printed(text, None, None))
            if files.refusal is not None:
                raise NginxError(_printed(files.refusal, None, None))


def certificate_id(path: str) -> int:
    """Whose file this is."""
    found = re.search(r"/npm-(\d+)/", path)
    return int(found[1]) if found else 0


def _check_ports(name: FileName, parsed: Parsed, taken: set[tuple[str, bool]]) -> None:
    for server in parsed.servers:
        for one in server.block or ():
            if one.name == "listen":
                port = (one.args[0], "udp" in one.args)
                if port in taken:
                    text = f'duplicate "0.0.0.0:{one.args[0]}" address and port pair'
                    raise NginxError(_printed(text, name, 1))
                taken.add(port)


def _printed(message: str, name: FileName | None, line: int | None) -> str:
    where = f" in /data/nginx/{name[0]}/{name[1]}.conf:{line}" if name and line else ""
    now = time.strftime("%Y/%m/%d %H:%M:%S")
    return (
        f"{now} [emerg] {os.getpid()}#{threading.get_native_id()}: {message}{where}\n"
        "nginx: configuration file /etc/nginx/nginx.conf test failed\n"
    )
