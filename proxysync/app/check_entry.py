"""Whether an entry would do if it stood in the file: that stays as it is, and NPM is not asked.

It is for entries that somebody sends, who need not be told what the machine knows besides: no
secret is put into it, and no address of the machine itself is connected to unless that is allowed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxysync.app.entry_names import new_name
from proxysync.app.placing import (
    UTF8_MARK,
    content_of,
    file_for,
    path_of,
    problem_with,
    untagged,
    with_fields,
)
from proxysync.app.validate import InvalidFile, ValidationResult, notes_of
from proxysync.app.verdict import OnStep, count_upstreams, not_probed, probe_entries
from proxysync.config.errors import ConfigError
from proxysync.config.load import load_with
from proxysync.config.models import Config
from proxysync.config.source import Source
from proxysync.kinds.entry import Resource
from proxysync.model import Key
from proxysync.values.invalid import InvalidValue
from proxysync.values.names import entry_name

MOST_UPSTREAMS = 20
"""Upstreams of one entry that are probed on somebody's word."""


@dataclass(frozen=True)
class EntryCheck:
    """What checks entries against one file; `path` is below `root`, and `tags` as for `load`.

    `stop` ends a probe early. With `never_local`, addresses are passed over that
    `probe.reach.is_local` knows. `admit` is asked with the number of upstreams before those are
    probed, and may raise.
    """

    path: Path
    environ: Mapping[str, str]
    root: Path = Path()
    tags: Sequence[str] = ()
    never_local: bool = True
    admit: Callable[[int], object] = lambda _count: None
    stop: Callable[[], bool] = lambda: False

    def run(
        self,
        config: Config,
        kind: str,
        name: str | None,
        fields: Mapping[str, Any],
        on_step: OnStep = lambda _each, _step: None,
    ) -> ValidationResult | InvalidFile:
        """What validation says of the entry in the file of `config`, in the place of one that has
        its name already. Raises ProxysyncError.
        """
        key = Key(kind, name_for(fields, kind, config) if name is None else name)
        file = file_for(key, config, self.path, self.root)
        try:
            entry_name(key.name)
        except InvalidValue as error:
            return InvalidFile(problem_with("name", error.message, error.hint))
        try:
            after = self._with(config, key, fields, file)
        except ConfigError as error:
            found = error.without_lines()
            return InvalidFile(found if name is not None else found.within(path_of(key)))
        resource = after.resource(key)
        if resource is None:
            return InvalidFile(problem_with(f"{key.name}.tags", *untagged(self.tags)))
        if (count := count_upstreams([resource])) > MOST_UPSTREAMS:
            message = f"leads to {count} upstreams, and at most {MOST_UPSTREAMS} are checked here"
            hint = "Use `proxysync validate` for this entry."
            return InvalidFile(problem_with(key.name, message, hint))
        self.admit(count)
        return self._probed(resource, after, on_step)

    def _with(self, config: Config, key: Key, fields: Mapping[str, Any], file: Path) -> Config:
        text = content_of(file, self.path, self.root).decode().removeprefix(UTF8_MARK)
        changed = with_fields(key, fields, new=config.resource(key) is None)(text)
        source = Source(str(file), changed.encode())
        return load_with(
            self.path, source, self.environ, root=self.root, tags=self.tags, hides_secrets=True
        )

    def _probed(self, resource: Resource, config: Config, on_step: OnStep) -> ValidationResult:
        found = probe_entries(
            [resource] if resource.is_on else [],
            config.settings.validation,
            on_step=on_step,
            stop=self.stop,
            never_local=self.never_local,
        )
        verdicts = found or [not_probed(resource, "enabled is false")]
        return ValidationResult(tuple(verdicts), config.secrets, notes_of(config, {resource.key}))


def name_for(fields: Mapping[str, Any], kind: str, config: Config) -> str:
    """A name that no entry has, for one that comes without."""
    given = fields.get("domains")
    domains = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    texts = [each[:100] for each in domains[:1] if isinstance(each, str)]
    return new_name(texts, kind, (r.name for r in config.resources if r.key.kind == kind))
