"""The look-alike of nginx: configuration files, the test of them, and what is being served."""

import os
import re
import threading
import time
from dataclasses import dataclass, field

from proxysync.sandbox.conf import ConfError, Directive, Parsed, parse

FileName = tuple[str, int]
_FOLDERS = ("proxy_host", "redirection_host", "dead_host")


class NginxError(Exception):
    """What `nginx -t` printed."""


@dataclass(frozen=True)
class _File:
    """A file as it is on disk: `parsed` is None if nginx cannot read it, and `error` says why."""

    parsed: Parsed | None = None
    error: ConfError | None = None


@dataclass
class Nginx:
    """Files are written and removed at once; what is served changes with a reload only.

    `users` are the password files of the access lists, by the id of the list; nginx reads them
    at each request. `certificates` are the ids whose files exist. `unresolvable` are the host
    names that no resolver knows, and `broken` a fault in some file that is not a host's.
    """

    unresolvable: set[str] = field(default_factory=set)
    users: dict[int, dict[str, str]] = field(default_factory=dict)
    certificates: set[int] = field(default_factory=set)
    broken: str | None = None
    serving: tuple[Directive, ...] = ()

    def __post_init__(self) -> None:
        self._files: dict[FileName, _File] = {}

    def write(self, name: FileName, text: str) -> None:
        """Puts a host's file in place, untested."""
        try:
            self._files[name] = _File(parse(text))
        except ConfError as error:
            self._files[name] = _File(error=error)

    def remove(self, name: FileName) -> None:
        """Deletes a host's file if there is one."""
        self._files.pop(name, None)

    def test(self) -> None:
        """Raises NginxError if any file is bad, whosever it is."""
        if self.broken is not None:
            raise NginxError(_printed(self.broken, None, None))
        for name, file in self._in_order():
            if file.error:
                raise NginxError(_printed(file.error.message, name, file.error.line))
            self._look_up(name, file)

    def reload(self) -> None:
        """Serves what the files say. Raises NginxError, and changes nothing, if the test fails."""
        self.test()
        self.serving = tuple(
            server for _, file in self._in_order() if file.parsed for server in file.parsed.servers
        )

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
            if not any(f"/npm-{number}/" in path for number in self.certificates):
                text = f'cannot load certificate "{path}": BIO_new_file() failed'
                raise NginxError(_printed(text, None, None))


def _printed(message: str, name: FileName | None, line: int | None) -> str:
    where = f" in /data/nginx/{name[0]}/{name[1]}.conf:{line}" if name and line else ""
    now = time.strftime("%Y/%m/%d %H:%M:%S")
    return (
        f"{now} [emerg] {os.getpid()}#{threading.get_native_id()}: {message}{where}\n"
        "nginx: configuration file /etc/nginx/nginx.conf test failed\n"
    )
