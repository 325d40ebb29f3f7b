"""What `${NAME}` may read: only what was handed over for it, never the environment as it is."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from proxysync.config.setting import CREDENTIALS, TOKEN_CREDENTIALS, read_secret_file
from proxysync.model.errors import ProxysyncError
from proxysync.values.invalid import InvalidValue

PLAIN = "PROXYSYNC_VAR_"
SECRET = "PROXYSYNC_SECRET_"  # noqa: S105
OURS = "PROXYSYNC_"

CONTAINER_SECRETS = Path("/run/secrets")
"""Where Docker and Podman mount the secrets of a container."""

SHORTEST_SECRET = 8
"""Characters: what is shorter can be guessed, and hiding it would hide other words with it."""


@dataclass(frozen=True)
class Variable:
    """What was handed over under a name."""

    value: str
    secret: bool


def how_to_hand_over_secret(name: str) -> str:
    """What a person does about a variable that has to be secret."""
    return f"hand it over as {SECRET}{name}=… or {SECRET}{name}_FILE=/path/to/file"


class Variables:
    """The variables of one process. Each name is looked up once, so that a file sees one value.

    With `hides`, a text that says nothing of it stands in the place of every secret.
    """

    def __init__(self, environ: Mapping[str, str], *, hides: bool = False) -> None:
        self._environ = environ
        self._hides = hides
        self._found: dict[str, Variable | None] = {}

    def get(self, name: str) -> Variable | None:
        """What was handed over as `name`, a plain word; None if nothing, or an empty text, was.

        Raises InvalidValue where it is not clear what is meant, or a file cannot be read.
        """
        if name not in self._found:
            found = self._find(name)
            if found is not None and found.secret and self._hides:
                found = Variable(f"value-of-{name}", secret=True)
            self._found[name] = found
        return self._found[name]

    @property
    def found(self) -> Mapping[str, Variable | None]:
        """What has been looked up so far, to tell later whether it has changed."""
        return dict(self._found)

    def what_is_wrong_with(self, name: str) -> str:
        """Why there is no value for it."""
        is_set = {PLAIN + name, SECRET + name} & set(self._environ)
        return "is empty" if is_set else "was not handed over"

    def how_to_hand_over(self, name: str) -> str:
        """What a person does about a variable that was not handed over."""
        secret = how_to_hand_over_secret(name).removeprefix("hand it over ")
        ways = f"hand it over as {PLAIN}{name}=…, or, if nobody may see it, {secret}"
        if name.startswith(OURS):
            return f"the file cannot read settings of proxysync's own; {ways}"
        if name in self._environ:
            return f"{name} itself is set, but only what is meant for the file can be read: {ways}"
        return ways

    def _find(self, name: str) -> Variable | None:
        sources = list(self._sources(name))
        if len(sources) > 1:
            names = " and ".join(what for what, _ in sources)
            raise InvalidValue(
                f"needs the variable {name}, which was handed over more than once: as {names}",
                None,
                hint="keep one of them",
            )
        if not sources:
            return None
        what, source = sources[0]
        if isinstance(source, Path):
            return _checked(name, Variable(_read(source, what, name), secret=True))
        return _checked(name, source)

    def _sources(self, name: str) -> Iterator[tuple[str, Variable | Path]]:
        plain, secret = (self._environ.get(prefix + name) for prefix in (PLAIN, SECRET))
        if plain:
            yield PLAIN + name, Variable(plain, secret=False)
        # PROXYSYNC_SECRET_X_FILE names the file with X, whatever else it could mean.
        if secret and not name.endswith("_FILE"):
            yield SECRET + name, Variable(secret, secret=True)
        if file := self._environ.get(f"{SECRET}{name}_FILE"):
            yield f"{SECRET}{name}_FILE", Path(file)
        for what, folder in self._folders():
            path = folder / name
            if _is_there(path) and not self._is_ours(path):
                yield f"the {what} {name}", path

    def _folders(self) -> Iterator[tuple[str, Path]]:
        if folder := self._environ.get("CREDENTIALS_DIRECTORY"):
            yield "systemd credential", Path(folder)
        yield "container secret", CONTAINER_SECRETS

    def _is_ours(self, path: Path) -> bool:
        """Whether it holds a password of proxysync itself, which is none of the file's business."""
        if path.name in (*CREDENTIALS, *TOKEN_CREDENTIALS):
            return True
        settings = (
            Path(value)
            for name, value in self._environ.items()
            if name.startswith(OURS)
            and name.endswith("_FILE")
            and not name.startswith((SECRET, PLAIN))
        )
        return any(_is_same(path, setting) for setting in settings)


def have_changed(found: Mapping[str, Variable | None], environ: Mapping[str, str]) -> bool:
    """Whether a look now finds other values: a file with a secret has been rotated, say."""
    fresh = Variables(environ)
    try:
        return any(fresh.get(name) != variable for name, variable in found.items())
    except InvalidValue:
        return True


def handed_over(environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets that stand in the environment itself: values to their `${NAME}`."""
    return {
        value: f"${{{name.removeprefix(SECRET)}}}"
        for name, value in environ.items()
        if name.startswith(SECRET) and not name.endswith("_FILE") and len(value) >= SHORTEST_SECRET
    }


def secret_files(environ: Mapping[str, str]) -> frozenset[str]:
    """The names for which a file with a secret was handed over."""
    return frozenset(
        name.removeprefix(SECRET).removesuffix("_FILE")
        for name, value in environ.items()
        if value and name.startswith(SECRET) and name.endswith("_FILE")
    )


def readable(secrets: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Those secrets (values to their `${NAME}`) that a file could read now."""
    variables = Variables(environ)
    found: dict[str, str] = {}
    for value, shown in secrets.items():
        with suppress(InvalidValue):
            if variables.get(shown[2:-1]) == Variable(value, secret=True):
                found[value] = shown
    return found


def _checked(name: str, variable: Variable) -> Variable:
    value = variable.value
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
        raise InvalidValue(f"needs the variable {name}, whose value is no UTF-8 text", None)
    if variable.secret and len(value) < SHORTEST_SECRET:
        raise InvalidValue(
            f"needs the secret {name}, which has fewer than {SHORTEST_SECRET} characters: it can "
            "be guessed, and cannot be hidden without hiding other words, too",
            None,
            hint=f"give it a longer value, or hand it over as {PLAIN}{name} if it is no secret",
        )
    return variable


def _read(path: Path, what: str, name: str) -> str:
    try:
        return read_secret_file(path, what, f"Put the value of {name} into it, and nothing else.")
    except ProxysyncError as error:
        raise InvalidValue(
            f"needs the variable {name}, but {error.message}", None, hint=error.hint
        ) from error


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return False
