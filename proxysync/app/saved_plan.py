"""A plan that a person has looked at, kept to be applied later: that one, or none.

What is kept is not the plan, which is made anew, but what tells it from any other: no secret is in
that, and nothing of it is ever written to NPM.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from proxysync.app.new_file import write_file
from proxysync.app.planning import Planned
from proxysync.config.models import Config
from proxysync.config.source import UnreadableError, beginning
from proxysync.kinds.references import reference_names
from proxysync.model.errors import ProxysyncError
from proxysync.plan import render

FORMAT = 1
KEY = "proxysync_plan"
MAX_BYTES = 64 * 1024
AGAIN = "Run `proxysync plan --out {path}` again, and look at the new plan."


@dataclass(frozen=True)
class SavedPlan:
    """Digests of the file, with those that it names, and of all that the plan shows; and which NPM
    it is for.
    """

    npm: str
    file: str
    changes: str

    @classmethod
    def of(cls, planned: Planned, npm_url: str) -> Self:
        """That of a plan without what validation said, which may say something else by then."""
        read = planned.read
        names = reference_names(read.snapshot)
        shown = render.to_json(planned.plan, mask=read.config.secrets, named=names)
        return cls(npm_url, _file(read.config), _digest(shown["changes"]))

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote. Raises ProxysyncError."""
        try:
            found = json.loads(beginning(path, MAX_BYTES))
        except UnreadableError as error:
            raise ProxysyncError(f"{path} {error.message}", hint=error.hint) from error
        except (ValueError, RecursionError):
            found = None
        version = found.get(KEY) if isinstance(found, dict) else None
        if isinstance(version, int) and version != FORMAT:
            raise _useless(path, "was saved by another version of proxysync")
        fields = {name: found.get(name) for name in cls.__annotations__} if version else {}
        if not fields or not all(isinstance(value, str) for value in fields.values()):
            raise _useless(path, "is damaged, or no plan that `proxysync plan --out` saved")
        return cls(**fields)

    def save(self, path: Path) -> None:
        """Writes it for its owner alone, in the place of what is there. Raises ProxysyncError."""
        text = json.dumps({KEY: FORMAT, **asdict(self)}, indent=2) + "\n"
        write_file(path, text, replace=True, private=True)

    def require_file(self, config: Config, npm_url: str) -> None:
        """Raises ProxysyncError if the plan was made for another NPM, or from another file."""
        if npm_url != self.npm:
            raise _stale(f"It is for the NPM at {self.npm}, and this is {npm_url}")
        if _file(config) != self.file:
            raise _stale("The file has changed since the plan was saved")

    def require_same(self, planned: Planned) -> None:
        """Raises ProxysyncError if this is another plan than the one that was saved."""
        if SavedPlan.of(planned, self.npm) != self:
            raise _stale("NPM, or a variable of the file, has changed since the plan was saved")


def _stale(why: str) -> ProxysyncError:
    return ProxysyncError(f"{why}, so nothing was written", hint=AGAIN.format(path="FILE"))


def _useless(path: Path, why: str) -> ProxysyncError:
    return ProxysyncError(f"{path} {why}, so nothing was written", hint=AGAIN.format(path=path))


def _file(config: Config) -> str:
    return _digest([config.fingerprint, *sorted(config.attachments.values())])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
