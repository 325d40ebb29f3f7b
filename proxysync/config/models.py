"""What the file says, as frozen values. The field names are those of the file.

The types read texts as they stand in the file as well as values that are right already. A
description is the field's meaning for editors, its first example the one shown in errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, create_model

from proxysync.config.attachments import Digests
from proxysync.config.selection import Selection
from proxysync.config.variables import Variable
from proxysync.kinds import KINDS
from proxysync.kinds.entry import Defaults, HealthSettings, Resource, ValidationSettings
from proxysync.model import Desired, Key, Snapshot
from proxysync.values import upstreams
from proxysync.values.fields import (
    UPSTREAM,
    Bool,
    Days,
    Drift,
    Interval,
    MaxDelete,
    Model,
    Name,
)
from proxysync.values.invalid import InvalidValue
from proxysync.values.limits import DeleteLimit


class Verify(Model):
    """Where the sites that NPM serves are reached; see AUTO and OFF."""

    url: Annotated[str, BeforeValidator(lambda v: str(upstreams.proxy_upstream(v))), UPSTREAM] = (
        Field(description="The address of NPM's sites.", examples=["http://10.0.0.2"])
    )


AUTO = Verify.model_construct(url="auto")
OFF = Verify.model_construct(url="off")


def _verify(value: object) -> object:
    if value is False or value == "off":
        return OFF
    if value == "auto":
        return AUTO
    if isinstance(value, Mapping | Verify):
        return value
    message = "must be auto, off or a mapping such as {url: 'http://10.0.0.2'}, not {found}"
    raise InvalidValue(message, value)


class Settings(Model):
    """What holds for all entries; `resync_interval` is in seconds."""

    validation: ValidationSettings = Field(
        default=ValidationSettings(),
        description="Checks of an upstream before a proxy goes live.",
        examples=[{"mode": "enforce"}],
    )
    health: HealthSettings = Field(
        default=HealthSettings(),
        description="Checks of every proxy from then on.",
        examples=[{"interval": "5m"}],
    )
    stale_threshold_days: Days = Field(
        default=7.0, description="Days without a good check after which a proxy counts as stale."
    )
    resync_interval: Interval = Field(
        default=300.0,
        description="How often NPM is compared with the file even if nothing was edited.",
    )
    drift: Drift = Field(
        default="fix",
        description="What to do with a change that somebody made in NPM: undo or report it.",
    )
    prune: Bool = Field(default=True, description="Delete managed hosts that left the file.")
    max_delete: MaxDelete = Field(
        default=DeleteLimit(share=0.3),
        description="How many managed hosts one run may delete or disable: a share or a count.",
        json_schema_extra={"default": "30%"},
    )
    instance: Name = Field(
        default="default", description="Tells several proxysyncs that share one NPM apart."
    )
    verify: Annotated[Verify, BeforeValidator(_verify)] = Field(
        default=AUTO,
        description="Whether and where nginx is asked for the sites, as visitors do: at NPM's own "
        "host on ports 80 and 443 (auto), not at all (off), or at an address.",
        examples=[{"url": "http://10.0.0.2"}],
        json_schema_extra={"default": "auto"},
    )

    @property
    def verifies(self) -> bool:
        return self.verify != OFF

    def edge(self, npm_url: str) -> str | None:
        """The address at which NPM's sites are asked for; None where they are not."""
        if not self.verifies:
            return None
        if self.verify != AUTO:
            return self.verify.url
        host = urlsplit(npm_url).hostname or ""
        return f"http://[{host}]" if ":" in host else f"http://{host}"


@dataclass(frozen=True)
class Config:
    """A file that is good as a whole.

    `selection` tells which of its entries `resources` are.
    `maybe_truncated` tells that it may have been read while it was being written.
    `fingerprint` changes with its content; `files` is empty for a text from memory, and
    `attachments` are the files that its entries name, as they were when it was read. `secrets`
    maps the values of secret variables to their `${NAME}`, and `variables` are all that were
    looked up. `commit` is the one that a file from a repository is from.
    """

    settings: Settings
    resources: tuple[Resource, ...]
    selection: Selection = field(default_factory=Selection)
    maybe_truncated: bool = False
    fingerprint: str = ""
    commit: str | None = None
    files: tuple[Path, ...] = ()
    attachments: Digests = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Variable | None] = field(default_factory=dict, repr=False)

    def resource(self, key: Key) -> Resource | None:
        """The entry with this key."""
        return next((resource for resource in self.resources if resource.key == key), None)

    def desired(self, snapshot: Snapshot) -> list[Desired]:
        """What each entry means on this server."""
        own = {r.key: r.entry for r in self.resources if not KINDS[r.key.kind].is_host}
        return [KINDS[r.key.kind].desired(r, snapshot, own) for r in self.resources]


_MODELS = {kind.defaults_model for kind in KINDS.values()}
_WIDEST = (
    kind.defaults_model
    for kind in KINDS.values()
    if not any(issubclass(other, kind.defaults_model) for other in _MODELS - {kind.defaults_model})
)
AllDefaults: type[Defaults] = create_model(
    "Defaults",
    __base__=tuple(dict.fromkeys(_WIDEST)),
    __doc__="The fields that may be set for all entries that have them.",
)
"""`defaults:` as a whole: the fields of every kind."""
