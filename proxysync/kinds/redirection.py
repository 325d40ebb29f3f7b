"""Redirection hosts: the kind `redirection`."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from proxysync.kinds.hosts import WIRE_NAMES, HostDefaults, HostEntry, HostKind
from proxysync.kinds.references import ReferenceNames, References
from proxysync.model import Fields, Snapshot
from proxysync.values.fields import Bool
from proxysync.values.redirects import (
    CODES,
    EXAMPLE,
    RedirectTarget,
    redirect_code,
    redirect_target,
)

Target = Annotated[
    RedirectTarget,
    BeforeValidator(redirect_target),
    WithJsonSchema({"type": "string", "minLength": 2}),
]
Code = Annotated[int, BeforeValidator(redirect_code), WithJsonSchema({"enum": list(CODES)})]


BEFORE_AUTO = "$scheme"
"""How NPM before 2.12 writes `auto`, which it would send visitors to as it is."""


KNOWS_AUTO = (2, 13, 3)

NO_AUTO = (
    "this NPM would send visitors to auto:// for a `to` without a scheme; write http:// or "
    "https:// before it, or update NPM to 2.13.3"
)


class RedirectionDefaults(HostDefaults):
    """The fields of a redirection that may be set for all of them."""

    code: Code = Field(
        default=302, description="The HTTP status: 301, 302, 303, 307 or 308.", examples=[301]
    )
    preserve_path: Bool = Field(
        default=False, description="Append the path and query that were asked for."
    )
    block_exploits: Bool = Field(
        default=False, description="Refuse requests that look like exploits."
    )


class RedirectionEntry(RedirectionDefaults, HostEntry):
    """One redirection as it stands in the file."""

    to: Target = Field(
        description="Where visitors are sent: with http:// or https://, or without for the "
        "scheme that they came by.",
        examples=[EXAMPLE],
    )

    @property
    def leads_to(self) -> str:
        return str(self.to)


class RedirectionKind(HostKind):
    """A redirection host of NPM."""

    name = "redirection"
    section = "redirections"
    label = "redirection host"
    collection = "nginx/redirection-hosts"
    right = "redirection_hosts"
    right_label = "Redirection Hosts"
    defaults_model = RedirectionDefaults
    entry_model = RedirectionEntry
    is_switched_by_put = False
    defaults: ClassVar[Fields] = {
        "domain_names": (),
        "forward_scheme": "auto",
        "forward_domain_name": "",
        "forward_http_code": 302,
        "preserve_path": False,
        "certificate_id": 0,
        "ssl_forced": False,
        "http2_support": False,
        "hsts_enabled": False,
        "hsts_subdomains": False,
        "block_exploits": False,
        "advanced_config": "",
        "enabled": True,
    }
    wire_names: ClassVar[Mapping[str, str]] = {
        **WIRE_NAMES,
        "forward_domain_name": "to",
        "forward_http_code": "code",
    }

    def wire(self, entry: RedirectionEntry, references: References) -> Fields:
        del references
        return {
            "forward_scheme": entry.to.scheme or "auto",
            "forward_domain_name": entry.to.rest,
            "forward_http_code": entry.code,
            "preserve_path": entry.preserve_path,
            "block_exploits": entry.block_exploits,
        }

    def normal_form(self, fields: Fields) -> Fields:
        result = super().normal_form(fields)
        is_auto = result["forward_scheme"] == BEFORE_AUTO
        return {**result, "forward_scheme": "auto"} if is_auto else result

    def for_server(self, fields: Fields, version: tuple[int, int, int] | None) -> Fields:
        is_old = version is not None and version < (2, 12, 0)
        if not is_old or fields.get("forward_scheme") != "auto":
            return fields
        return {**fields, "forward_scheme": BEFORE_AUTO}

    def own_fields(self, fields: Fields, names: ReferenceNames) -> Mapping[str, Any]:
        del names
        return {
            "to": self.leads_to(fields),
            "code": fields["forward_http_code"],
            "preserve_path": fields["preserve_path"],
            "block_exploits": fields["block_exploits"],
        }

    def lacks(self, fields: Fields, snapshot: Snapshot) -> Iterable[tuple[str, str]]:
        yield from super().lacks(fields, snapshot)
        lacks_auto = snapshot.version and (2, 12, 0) <= snapshot.version < KNOWS_AUTO
        if lacks_auto and fields["forward_scheme"] == "auto":
            yield "forward_scheme", NO_AUTO

    def placeholder_definition(self, name: str) -> Fields:
        return self.normalise({"domain_names": [name], "forward_domain_name": "localhost"})

    def leads_to(self, fields: Fields) -> str:
        scheme, rest = fields["forward_scheme"], fields["forward_domain_name"]
        return str(RedirectTarget(None if scheme == "auto" else scheme, rest))


REDIRECTION = RedirectionKind()
