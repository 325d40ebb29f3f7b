"""What entries of several kinds have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, field_serializer

from proxysync.model import Key, Keyed
from proxysync.model.position import Position
from proxysync.probe.model import STEPS
from proxysync.values.fields import (
    Bool,
    HealthPath,
    Interval,
    Mode,
    Model,
    Note,
    Resolver,
    Skip,
    Statuses,
    Tags,
    Threshold,
    Timeout,
)
from proxysync.values.invalid import InvalidValue


class ValidationSettings(Model):
    """How all proxies are validated; timeouts are in seconds."""

    mode: Mode = Field(
        default="enforce",
        description="enforce keeps a proxy out of NPM that fails, warn says so and goes on, "
        "off probes nothing.",
    )
    tcp_timeout: Timeout = Field(default=5.0, description="How long connecting may take.")
    http_timeout: Timeout = Field(default=10.0, description="How long an HTTP answer may take.")
    resolver: Resolver | None = Field(
        default=None, description="Ask this name server (IP or IP:port) instead of the system's."
    )


class Validation(Model):
    """How one proxy is validated; `mode` None is as in the settings."""

    mode: Mode | None = Field(
        default=None, description="As settings.validation.mode, for this proxy."
    )
    skip: Skip = Field(default=frozenset(), description="Steps to leave out.", examples=[["http"]])
    allow_unresolved: Bool = Field(
        default=False,
        description="Let a location's upstream pass whose name does not resolve (yet).",
    )

    @field_serializer("skip", when_used="json")
    def _in_order(self, skip: frozenset[str]) -> list[str]:
        # A set's order differs from run to run, and digests are taken of the JSON.
        return sorted(skip)

    def left_out(self, settings: ValidationSettings) -> frozenset[str]:
        """The steps that are not to be made; with validation off only the text is looked at."""
        off = (self.mode or settings.mode) == "off"
        return frozenset(STEPS[1:]) if off else self.skip


class HealthSettings(Model):
    """How often all proxies are checked; `interval` is in seconds."""

    interval: Interval = Field(default=300.0, description="Time between two checks of a proxy.")
    failure_threshold: Threshold = Field(
        default=2, description="Failed checks in a row that make a proxy unhealthy."
    )
    success_threshold: Threshold = Field(
        default=1, description="Good checks in a row that make it healthy again."
    )


class Health(HealthSettings):
    """How one proxy is checked; what it leaves out is taken from the settings."""

    path: HealthPath = Field(default="/", description="What is asked for.", examples=["/health"])
    expect_status: Statuses | None = Field(
        default=None,
        description="Statuses that are healthy: 200, 200-399 or a list; all below 500 if unset.",
        examples=["200-399"],
    )
    enabled: Bool = Field(default=True, description="false is the same as `health: off`.")


NEVER_BLANK = {"certificate": "certificate", "access_list": "access list"}
"""Fields that protect a site, and how messages call them: to write nothing must not take it."""

MERGED = ("health", "validation")
"""Mappings of an entry whose keys are merged with those of `defaults` one by one."""


def read_health(value: object) -> object:
    if value is False or value == "off":
        return {"enabled": False}
    if isinstance(value, Mapping | Health):
        return value
    raise InvalidValue("must be off or a mapping such as {path: /health}, not {found}", value)


class Defaults(Model):
    """The fields of a kind that `defaults:` may set for all entries that have them."""


class WatchedDefaults(Defaults):
    """How entries are validated and checked that lead somewhere."""

    health: Annotated[Health, BeforeValidator(read_health)] = Field(
        default=Health(),
        description="How it is checked while it is live (see health); off for not at all.",
    )
    validation: Validation = Field(
        default=Validation(),
        description="How it is checked before it goes live (see validation).",
        examples=[{"skip": ["http"]}],
    )
    badge: Bool = Field(
        default=False,
        description="Whether its health and uptime are to be had as pictures, for other pages: "
        "/badge/NAME/health.svg and /badge/NAME/uptime-7d.svg of the HTTP API.",
    )


class Entry(Model):
    """One entry as it stands in the file."""

    tags: Tags = Field(
        default=(),
        description="What it belongs to; where PROXYSYNC_TAGS names tags, only entries with one of "
        "them count.",
        examples=[["nas"]],
    )
    note: Note | None = Field(
        default=None,
        description="What people should know of it; shown beside it, and never sent to NPM.",
        examples=["Anna's, ask her before you restart it"],
    )

    @property
    def is_on(self) -> bool:
        """Whether NPM is to serve it."""
        return True

    @property
    def names(self) -> tuple[str, ...]:
        """The domains or ports that it answers to, as the file orders them."""
        return ()

    @property
    def leads_to(self) -> str | None:
        """Where visitors end up, as `status` shows it; None where it is nowhere else."""
        return None

    @property
    def validation_mode(self) -> str | None:
        """Its own `validation.mode`; None for that of the settings."""
        return None

    @property
    def watched_as(self) -> "Health | None":
        """How it is checked while it is live; None for not at all."""
        return None

    @property
    def site_is_watched(self) -> bool:
        """Whether nginx is asked for it while it is live."""
        return self.is_on

    @property
    def has_badge(self) -> bool:
        """Whether its health is to be had as a picture."""
        return False

    @property
    def sites(self) -> tuple[str, ...]:
        """The domains by which browsers come."""
        return ()

    @property
    def named(self) -> Mapping[str, str | None]:
        """What it refers to by name, by kind."""
        return {}

    @property
    def title(self) -> str | None:
        """What it is called in NPM, if that is not its name in the file."""
        return None

    @property
    def covers(self) -> tuple[str, ...]:
        """The names that it is a certificate for."""
        return ()

    @property
    def expires(self) -> datetime | None:
        """When it is no certificate any more."""
        return None

    @property
    def fingerprint(self) -> str:
        """That of the certificate that it is."""
        return ""

    @property
    def files(self) -> Mapping[str, str]:
        """The files that its fields name; a relative path starts where the entry's file is."""
        return {}

    def with_files(self, contents: Mapping[str, bytes]) -> Self:
        """The entry with what is in these files, by the fields that name them.

        Raises InvalidField.
        """
        del contents
        return self

    def with_settings(self, health: HealthSettings) -> Self:
        """The entry with what it leaves to `settings.health`."""
        del health
        return self


class WatchedEntry(WatchedDefaults, Entry):
    """One entry that leads somewhere."""

    @property
    def validation_mode(self) -> str | None:
        return self.validation.mode

    @property
    def watched_as(self) -> Health | None:
        return self.health if self.is_on and self.health.enabled else None

    @property
    def site_is_watched(self) -> bool:
        return self.watched_as is not None

    @property
    def has_badge(self) -> bool:
        return self.badge

    def with_settings(self, health: HealthSettings) -> Self:
        complete = _complete(self.health, frozenset(self.health.model_fields_set), health)
        return self.model_copy(update={"health": complete})


@lru_cache(maxsize=64)
def _complete(own: Health, said: frozenset[str], settings: HealthSettings) -> Health:
    """How an entry is checked that says so much of it itself; most entries say the same."""
    return Health(**{**dict(settings), **{field: getattr(own, field) for field in said}})


@dataclass(frozen=True)
class Resource(Keyed):
    """One entry, what identifies it, and where in the file it stands."""

    key: Key
    entry: Entry
    source: Position

    @property
    def is_on(self) -> bool:
        return self.entry.is_on
