"""The `git` program: it is told all it may know, and ends in time or with us."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from proxysync.git.errors import GitError
from proxysync.git.remote import Remote
from proxysync.model.redact import redact_text
from proxysync.model.text import one_line

LONGEST = 60.0
"""Seconds that a call may take."""

LOOK = 0.1
"""Seconds between two looks whether we are to end."""

MOST_TOLD = 300
"""Characters of what git says that are told."""

PASSED_ON = (
    "PATH", "TZ", "GIT_SSL_CAINFO", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
    "ALL_PROXY", "no_proxy", "NO_PROXY",
)  # fmt: skip
"""All that git gets of our own environment; a way out of the network is the machine's affair."""


@dataclass(frozen=True)
class _Trouble:
    """What git, ssh or the server may say, the code of what it means, and what to do about it."""

    words: tuple[str, ...]
    code: str
    hint: str


_TROUBLES = (
    _Trouble(
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key verification failed"),
        "git.host_key",
        "If the server was set up anew, take its line out of {known_hosts}.",
    ),
    _Trouble(
        (
            *("Authentication failed", "could not read Username", "could not read Password"),
            *("Permission denied", "error: 401", "error: 403", "Load key", "UNPROTECTED PRIVATE"),
        ),
        "git.denied",
        "Check that the deploy key (PROXYSYNC_GIT_KEY_FILE, readable by proxysync's user alone) or "
        "the token (PROXYSYNC_GIT_TOKEN_FILE) may read this repository and has not expired.",
    ),
    _Trouble(
        ("error: 301", "error: 302", "error: 307", "error: 308", "redirect"),
        "git.redirected",
        "Write the address that it has now into PROXYSYNC_GIT_URL: redirections are not followed.",
    ),
    _Trouble(
        ("does not appear to be a git repository", "not found", "does not exist", "error: 404"),
        "git.no_repository",
        "Check PROXYSYNC_GIT_URL; a private repository also wants PROXYSYNC_GIT_KEY_FILE (ssh) or "
        "PROXYSYNC_GIT_TOKEN_FILE (https), and hides from those who may not read it.",
    ),
)

_UNREACHABLE = "Check the network and PROXYSYNC_GIT_URL; proxysync tries again by itself."


@dataclass(frozen=True)
class Git:
    """Runs git for one remote. What it keeps between two calls is in `home`.

    `stop` is asked all the while, and ends the call.
    """

    remote: Remote
    home: Path
    stop: Callable[[], bool] = lambda: False
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def run(
        self, repository: Path | None, *words: str, stdin: IO[bytes] | int = subprocess.DEVNULL
    ) -> bytes:
        """What git prints for a call, in a repository of ours or in none. Raises GitError.

        `stdin` is a file, for nobody stays to feed a pipe while it is looked whether we are to end.
        """
        done = self.attempt(repository, *words, stdin=stdin)
        if done.returncode != 0:
            raise self._error(done)
        return done.stdout

    def attempt(
        self, repository: Path | None, *words: str, stdin: IO[bytes] | int = subprocess.DEVNULL
    ) -> "subprocess.CompletedProcess[bytes]":
        """The same, whatever its exit code. Raises GitError where it does not end by itself."""
        where = [] if repository is None else [f"--git-dir={repository}"]
        command = ["git", *where, "--literal-pathspecs", *words]
        try:
            process = subprocess.Popen(  # noqa: S603 - no word of it is free text but the URL
                command,
                env=self._environment(),
                cwd=self.home,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            if not self.home.is_dir():
                raise GitError(f"{self.home} is gone", code="git.folder") from error
            raise GitError(
                f"git cannot be run: {error.strerror}",
                hint="Install git (and ssh, for an ssh URL) where proxysync runs.",
                code="git.missing",
            ) from error
        return self._wait(process, command)

    def _wait(
        self, process: "subprocess.Popen[bytes]", command: list[str]
    ) -> "subprocess.CompletedProcess[bytes]":
        end = time.monotonic() + LONGEST
        try:
            while time.monotonic() < end and not self.stop():
                with suppress(subprocess.TimeoutExpired):
                    out, err = process.communicate(timeout=LOOK)
                    return subprocess.CompletedProcess(command, process.returncode, out, err)
        finally:
            if process.returncode is None:
                _kill(process)
        raise GitError(
            f"{self.remote.url} did not answer within {LONGEST:.0f} s",
            hint=_UNREACHABLE,
            code="git.unreachable",
        )

    def _error(self, done: "subprocess.CompletedProcess[bytes]") -> GitError:
        """What git says, in one line and without a secret, and what to do about it."""
        text = done.stderr.decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        told = one_line(redact_text(" ".join(lines), self.remote.secrets))[:MOST_TOLD]
        message = f"git cannot get {self.remote}: {told or f'exit code {done.returncode}'}"
        for trouble in _TROUBLES:
            if any(word in text for word in trouble.words):
                hint = trouble.hint.format(known_hosts=self.home / "known_hosts")
                return GitError(message, hint=hint, code=trouble.code)
        return GitError(message, hint=_UNREACHABLE, code="git.unreachable")

    def _environment(self) -> dict[str, str]:
        settings = self._settings()
        passed = {name: self.environ[name] for name in PASSED_ON if name in self.environ}
        numbered = {
            f"GIT_CONFIG_{part}_{number}": text
            for number, pair in enumerate(settings)
            for part, text in zip(("KEY", "VALUE"), pair, strict=True)
        }
        return {
            **passed,
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home),
            "GIT_CEILING_DIRECTORIES": str(self.home.parent),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_SSH_COMMAND": self._ssh(),
            "GIT_SSH_VARIANT": "ssh",
            "GIT_CONFIG_COUNT": str(len(settings)),
            **numbered,
        }

    def _settings(self) -> list[tuple[str, str]]:
        """What git is configured by, and nothing else: a command line can be seen in `ps`."""
        remote = self.remote
        found = [
            ("protocol.allow", "never"),
            (f"protocol.{remote.protocol}.allow", "always"),
            ("core.hooksPath", os.devnull),
            ("core.askPass", ""),
            ("credential.helper", ""),
            ("fetch.recurseSubmodules", "no"),
            ("transfer.fsckObjects", "true"),
            ("transfer.bundleURI", "false"),
            ("http.followRedirects", "false"),
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", "30"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("gpg.format", "ssh"),
            ("gpg.openpgp.program", "false"),
            ("gpg.x509.program", "false"),
        ]
        if remote.allowed_signers is not None:
            found.append(("gpg.ssh.allowedSignersFile", str(remote.allowed_signers)))
        if remote.login is not None:
            found.append(("http.extraHeader", f"Authorization: Basic {remote.login}"))
        return found

    def _ssh(self) -> str:
        """Only our key, only our list of known hosts, and no question to anybody."""
        options = {
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": f'"{self.home / "known_hosts"}"',
            "ConnectTimeout": "20",
            "ServerAliveInterval": "10",
            "ServerAliveCountMax": "3",
        }
        words = ["ssh", "-F", os.devnull]
        if self.remote.key_file is not None:
            words += ["-i", str(self.remote.key_file), "-o", "IdentitiesOnly=yes"]
        for name, value in options.items():
            words += ["-o", f"{name}={value}"]
        return shlex.join(words)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Ends git and what it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=1.0)
