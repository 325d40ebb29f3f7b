"""What entries of several kinds have in common: how they are validated and checked."""

from collections.abc import Mapping

from pydantic import Field, field_serializer

from proxysync.values.fields import (
    Bool,
    HealthPath,
    Interval,
    Mode,
    Model,
    Skip,
    Statuses,
    Threshold,
)
from proxysync.values.invalid import InvalidValue


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


def read_health(value: object) -> object:
    if value is False or value == "off":
        return {"enabled": False}
    if isinstance(value, Mapping | Health):
        return value
    raise InvalidValue("must be off or a mapping such as {path: /health}, not {found}", value)
