"""The file, what was handed over for it, and how it comes into a container."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from proxysync.app.doctor.check import Check
from proxysync.app.doctor.steps import Step
from proxysync.config.environment import Environment
from proxysync.config.errors import ConfigError
from proxysync.config.models import Config
from proxysync.config.named import named_variables
from proxysync.config.setting import TAGS
from proxysync.config.source import is_detached
from proxysync.config.variables import Variables, secret_files
from proxysync.values.invalid import InvalidValue

MOUNTS = Path("/proc/self/mountinfo")
MOST_TOLD = 3

NO_FILE = (
    "Name the file with -f or PROXYSYNC_FILE. `proxysync import -o proxies.yaml` writes one of "
    "what NPM has, and `proxysync demo` shows a small one."
)


def steps(
    env: Environment, environ: Mapping[str, str], found: Config | ConfigError
) -> tuple[Step, ...]:
    return (
        Step("file", partial(_file, env.file, found)),
        Step("variables", partial(_variables, env.file, environ, found)),
        Step("mount", partial(_mount, env.file)),
    )


def _file(path: Path, found: Config | ConfigError) -> Check:
    if isinstance(found, Config):
        where = path.absolute()
        if not found.selection.total:
            return Check.warn(f"{where} is valid and has no entries", "Nothing is managed by it.")
        if found.selection.unknown:
            tags = " and ".join(found.selection.unknown)
            return Check.fail(
                f"{where} is valid, but no entry has the tag {tags}: {found.selection}",
                f"Correct {TAGS}, or the tags in the file: until then every plan is refused.",
            )
        return Check.ok(f"{where} is valid: {found.selection}")
    first, *more = found.problems
    if not first.line and not more:  # of the file as a whole, and nothing else can be said
        advice = first.hint or ""
        hint = NO_FILE if not path.exists() else f"{advice[:1].upper()}{advice[1:]}."
        return Check.fail(str(replace(first, hint=None)), hint)
    told = "; ".join(str(problem) for problem in (first, *more[: MOST_TOLD - 1]))
    rest = f"; and {len(more) + 1 - MOST_TOLD} more" if len(more) >= MOST_TOLD else ""
    return Check.fail(
        told + rest, "`proxysync validate --no-probe` names all that is wrong with the file."
    )


def _variables(path: Path, environ: Mapping[str, str], found: Config | ConfigError) -> Check:
    try:
        named = named_variables(path)
    except ConfigError:
        return Check.skipped("the file cannot be read")
    if isinstance(found, Config) and found.selection.tags:
        named = named.only(found.variables)  # the other entries' are for other machines
    variables = Variables(environ)
    wrong: dict[str, str | None] = {}
    for name in sorted({*named.needed, *named.optional, *secret_files(environ)}):
        try:
            if variables.get(name) is None and name in named.needed:
                reason = variables.what_is_wrong_with(name)
                wrong[f"{name} {reason}"] = variables.how_to_hand_over(name)
        except InvalidValue as error:
            wrong[f"{name}: {error.message}"] = error.hint
    if wrong:
        hints = dict.fromkeys(f"{hint[0].upper()}{hint[1:]}" for hint in wrong.values() if hint)
        return Check.fail("; ".join(wrong), " ".join(hints) or None)
    number = len(named.needed | named.optional)
    if not number and isinstance(found, ConfigError):
        return Check.skipped("the file has errors, and what could be read of it names none")
    return Check.ok(
        f"the {number} that the file names are handed over, or may be missing"
        if number
        else "the file names none"
    )


def _mount(path: Path) -> Check:
    if is_detached(path):
        return Check.fail(
            f"{path} was replaced outside of this container, which goes on seeing the old file",
            "Mount the folder that holds the file, not the file itself, and start it anew.",
        )
    if path.is_file() and os.fspath(path.resolve()) in _mount_points():
        return Check.warn(
            f"{path} is mounted as a single file: what git or an editor puts into its place does "
            "not arrive here",
            "Mount the folder that holds the file, not the file itself.",
        )
    return Check.ok("edits of the file arrive here: it is not mounted by itself")


def _mount_points() -> frozenset[str]:
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return frozenset()
    fields = (line.split(" ") for line in lines)
    return frozenset(
        part[4].encode(errors="surrogateescape").decode("unicode_escape")
        for part in fields
        if len(part) > 4
    )
