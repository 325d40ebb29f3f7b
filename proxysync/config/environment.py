"""Settings from the environment and from flags of the same names; flags win."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from proxysync.config.git_settings import read_remote
from proxysync.config.setting import (
    CREDENTIALS,
    TAGS,
    Secret,
    SettingError,
    read_credential,
    read_secret_file,
)
from proxysync.git.place import Place
from proxysync.git.remote import Remote
from proxysync.model.errors import ProxysyncError
from proxysync.values.invalid import InvalidValue
from proxysync.values.names import tags

_URL_EXAMPLE = "Write it like http://10.0.0.2:81 or http://[fd00::2]:81."
PASSWORD = "Put the password of the NPM user into it, and nothing else."  # noqa: S105


@dataclass(frozen=True)
class Environment:
    """Where things are; None is what nobody has set. `npm_url` ends neither in a slash nor `/api`.
    `tags` say which entries of the file are for this NPM, all of them if there are none.

    `state_dir` may not exist yet. With a `remote`, the file comes from there: `file` is where the
    daemon has it.
    """

    file: Path
    state_dir: Path
    npm_url: str | None = None
    identity: str | None = None
    secret: Secret | None = None
    ca_file: Path | None = None
    remote: Remote | None = None
    tags: tuple[str, ...] = ()

    @property
    def place(self) -> Place | None:
        """Where the daemon keeps what it took from the remote; None without one."""
        return None if self.remote is None else Place(self.remote, self.state_dir)

    @property
    def located(self) -> tuple[Path, Path]:
        """The path of the file, and the folder below which it is at this moment."""
        place = self.place
        return (self.file, Path()) if place is None else (place.path, place.current.resolve())

    @property
    def file_name(self) -> Path:
        """How messages call the file: by its path in the repository that it comes from."""
        return self.place.path if self.place else self.file

    def require_npm(self) -> None:
        """Raises ProxysyncError that names what is missing to log in to NPM."""
        needed = {
            "PROXYSYNC_NPM_URL": (self.npm_url, "where NPM is, such as http://10.0.0.2:81"),
            "PROXYSYNC_NPM_IDENTITY": (self.identity, "the e-mail address of a user in NPM"),
            "PROXYSYNC_NPM_SECRET or PROXYSYNC_NPM_SECRET_FILE": (
                self.secret,
                "that user's password, or a file that holds it",
            ),
        }
        missing = {name: what for name, (value, what) in needed.items() if value is None}
        if missing:
            names = ", ".join(missing)
            raise SettingError(
                "proxysync does not know how to reach NPM: "
                + (f"{names} is not set" if len(missing) == 1 else f"these are not set: {names}"),
                hint="Set " + "; ".join(f"{name} ({what})" for name, what in missing.items()) + ".",
            )


def read_environment(
    environ: Mapping[str, str], *, overrides: Mapping[str, str | None]
) -> Environment:
    """All settings; `overrides` are flags, by the names of the variables. Empty is unset.

    Raises ProxysyncError for what cannot be meant, or a secret file that cannot be read.
    """
    flags = {name: value for name, value in overrides.items() if value}
    given = {**{name: value for name, value in environ.items() if value}, **flags}
    ca_file = given.get("PROXYSYNC_NPM_CA_FILE")
    url = given.get("PROXYSYNC_NPM_URL")
    # Whoever names a file for one command means that one.
    remote = None if "PROXYSYNC_FILE" in flags else read_remote(given)
    env = Environment(
        file=Path(given.get("PROXYSYNC_FILE", "proxies.yaml")),
        state_dir=_state_dir(given),
        npm_url=None if url is None else _npm_url(url),
        identity=given.get("PROXYSYNC_NPM_IDENTITY"),
        secret=_secret(flags, given) or _credential(given),
        ca_file=None if ca_file is None else Path(ca_file),
        remote=remote,
        tags=_tags(given.get("PROXYSYNC_TAGS", "")),
    )
    return replace(env, file=env.place.file) if env.place else env


def _tags(text: str) -> tuple[str, ...]:
    try:
        found = tags([tag.strip() for tag in text.split(",")]) if text.strip() else ()
    except InvalidValue as error:
        raise SettingError(
            f"{TAGS}: {error}", hint="Write it like nas,edge, with commas between."
        ) from error
    return found


def _state_dir(given: Mapping[str, str]) -> Path:
    if chosen := given.get("PROXYSYNC_STATE_DIR"):
        return Path(chosen)
    # systemd lists several folders with colons between them.
    if first := given.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(first)
    xdg = Path(given.get("XDG_STATE_HOME", ""))
    if xdg.is_absolute():
        return xdg / "proxysync"
    try:
        home = Path(given["HOME"]) if "HOME" in given else Path.home()
    except RuntimeError as error:
        raise SettingError(
            "proxysync does not know where to keep its state: there is no home folder",
            hint="Set PROXYSYNC_STATE_DIR to a folder that it may write to.",
        ) from error
    return home / ".local" / "state" / "proxysync"


def _secret(flags: Mapping[str, str], given: Mapping[str, str]) -> Secret | None:
    """The secret as a value or from a file. A flag for one beats a variable for the other."""
    names = ("PROXYSYNC_NPM_SECRET", "PROXYSYNC_NPM_SECRET_FILE")
    source = flags if any(name in flags for name in names) else given
    value, file = (source.get(name) for name in names)
    if value and file:
        raise SettingError(
            f"both {names[0]} and {names[1]} are set, and they may differ",
            hint="Unset one of them.",
        )
    if value:
        return Secret(value)
    return Secret(read_secret_file(Path(file), names[1], PASSWORD)) if file else None


def _credential(given: Mapping[str, str]) -> Secret | None:
    text = read_credential(given, CREDENTIALS, PASSWORD)
    return None if text is None else Secret(text)


def _npm_url(text: str) -> str:
    """The URL without trailing slashes and `/api`; userinfo is refused and never shown."""
    url = text.strip()
    scheme, separator, rest = url.partition("://")
    if "@" in (rest if separator else url):
        raise _url_error(
            "holds a user name or password",
            "Give those as PROXYSYNC_NPM_IDENTITY and PROXYSYNC_NPM_SECRET.",
        )
    if not separator:
        raise _url_error(f'"{url}" has no scheme', _suggestion(url.lstrip("/")))
    if scheme.lower() not in ("http", "https"):
        raise _url_error(f'"{url}" is neither http:// nor https://', _suggestion(rest))
    if "?" in rest or "#" in rest:
        raise _url_error(
            f'"{url}" has a query or a fragment', "Leave out ? and # and what follows."
        )
    parts = _split(url)
    path = re.sub("/+(api/*)?$", "", parts.path, flags=re.IGNORECASE)
    return f"{scheme.lower()}://{parts.netloc}{path}"


def _suggestion(rest: str) -> str:
    """What was meant by a URL that lacks its scheme: only a URL that is right as a whole."""
    try:
        _npm_url(f"http://{rest}")
    except SettingError:
        return _URL_EXAMPLE
    return f"Did you mean http://{rest}?"


def _split(url: str) -> SplitResult:
    if not url.isprintable() or " " in url:
        raise _url_error("holds a blank or a control character", _URL_EXAMPLE)
    try:
        parts = urlsplit(url)
        wrong = not parts.hostname or parts.port == 0 or parts.netloc.endswith(":")
    except ValueError as error:
        raise _url_error(f'"{url}" has no valid host and port', _URL_EXAMPLE) from error
    if wrong or ("[" not in parts.netloc and parts.netloc.count(":") > 1):
        raise _url_error(f'"{url}" has no valid host and port', _URL_EXAMPLE)
    return parts


def _url_error(problem: str, hint: str) -> ProxysyncError:
    return SettingError(f"PROXYSYNC_NPM_URL {problem}", hint=hint)
