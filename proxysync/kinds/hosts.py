"""What all kinds of hosts share: domains, TLS, and how nginx serves their names."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import compress
from operator import is_not
from typing import Any, ClassVar

from pydantic import Field

from proxysync.kinds.answers import AsEntry, Served
from proxysync.kinds.base import Kind, Own, as_desired, as_entry
from proxysync.kinds.entry import Defaults, Entry, Resource
from proxysync.kinds.references import CERTIFICATE, KIND_OF, Named, ReferenceNames, References
from proxysync.model import Desired, Fields, Snapshot
from proxysync.values.fields import AdvancedConfig, Bool, CertificateName, Domains
from proxysync.values.invalid import InvalidValue
from proxysync.values.names import domain

WIRE_NAMES = {
    "certificate_id": "certificate",
    "domain_names": "domains",
    "hsts_enabled": "hsts",
    "http2_support": "http2",
    "ssl_forced": "force_ssl",
}


NO_TLS = (
    "force_ssl does nothing without a certificate; name one, such as `certificate: auto`, or leave "
    "force_ssl out"
)


class HostDefaults(Defaults):
    """The fields of a host that may be set for all of them."""

    certificate: CertificateName = Field(
        default=None,
        description="One of `certificates`, else one in NPM, by its nice name or a domain that it "
        "covers; auto for the one that covers all domains; or none.",
    )
    force_ssl: Bool = Field(
        default=False, description="Redirect HTTP to HTTPS, if there is a certificate."
    )
    http2: Bool = Field(default=False, description="Serve HTTP/2, if there is a certificate.")
    hsts: Bool = Field(
        default=False, description="Tell browsers to come by HTTPS only; needs force_ssl."
    )
    hsts_subdomains: Bool = Field(
        default=False, description="HSTS for all names below, too; needs hsts."
    )
    advanced_config: AdvancedConfig = Field(
        default="",
        description="nginx configuration for the host, or a list of such and names of snippets.",
    )
    enabled: Bool = Field(default=True, description="Whether NPM serves it.")


class HostEntry(HostDefaults, Entry):
    """One host as it stands in the file."""

    domains: Domains = Field(
        description="The names that it answers to, up to 100; *.example.com and unicode, too.",
        examples=[["media.example.com"]],
    )

    @property
    def is_on(self) -> bool:
        return self.enabled

    @property
    def names(self) -> tuple[str, ...]:
        return self.domains

    @property
    def sites(self) -> tuple[str, ...]:
        return self.domains

    @property
    def named(self) -> Mapping[str, str | None]:
        return {KIND_OF[CERTIFICATE]: self.certificate}


class HostKind(Kind):
    """A kind of host: an object that nginx serves by its domain names."""

    free_text = frozenset({"advanced_config"})
    refers_to: ClassVar[Mapping[str, str]] = {CERTIFICATE: KIND_OF[CERTIFICATE]}
    wire_names: ClassVar[Mapping[str, str]] = WIRE_NAMES
    may_hold_secret = frozenset({"advanced_config"})
    composed = frozenset({"advanced_config"})

    @abstractmethod
    def wire(self, entry: Any, references: References) -> Fields:
        """The fields of its own that an entry asks for."""

    @abstractmethod
    def own_fields(self, fields: Fields, names: ReferenceNames) -> Mapping[str, Any]:
        """The way back: the file's fields of its own, whether they have their default or not."""

    def normal_form(self, fields: Fields) -> Fields:
        """Domains lower-case and sorted, 0/1 as booleans, and TLS flags only with what they need:
        none without a certificate, HSTS only with forced TLS.

        NPM stores some of these otherwise, but nginx then serves the same.
        """
        result = typed(fields, self.defaults)
        result["domain_names"] = sorted({name.lower() for name in result["domain_names"]})
        if not result["certificate_id"]:
            result["ssl_forced"] = result["http2_support"] = False
        result["hsts_enabled"] = result["hsts_enabled"] and result["ssl_forced"]
        result["hsts_subdomains"] = result["hsts_subdomains"] and result["hsts_enabled"]
        return result

    def desired(self, resource: Resource, snapshot: Snapshot, own: Own) -> Desired:
        entry = resource.entry
        assert isinstance(entry, HostEntry)
        references = References(snapshot, own)
        fields = self.normalise(
            {
                "domain_names": entry.domains,
                "certificate_id": references.certificate(entry.certificate, entry.domains),
                "ssl_forced": entry.force_ssl,
                "http2_support": entry.http2,
                "hsts_enabled": entry.hsts,
                "hsts_subdomains": entry.hsts_subdomains,
                "advanced_config": entry.advanced_config,
                "enabled": entry.enabled,
                **self.wire(entry, references),
            }
        )
        if entry.force_ssl and entry.certificate is None:
            references.warnings.append(NO_TLS)
        return as_desired(self, resource, fields, references, snapshot)

    def entry_of(self, fields: Fields, snapshot: Snapshot, named: Named) -> AsEntry:
        names = ReferenceNames(snapshot, named)
        every = {
            "domains": fields["domain_names"],
            **self.own_fields(fields, names),
            "certificate": names.certificate(fields["certificate_id"]),
            "force_ssl": fields["ssl_forced"],
            "http2": fields["http2_support"],
            "hsts": fields["hsts_enabled"],
            "hsts_subdomains": fields["hsts_subdomains"],
            "advanced_config": fields["advanced_config"],
            "enabled": fields["enabled"],
        }
        return as_entry(self, every, names.problems, _ineffective(fields))

    def free_texts(self, fields: Fields) -> Iterable[tuple[str, str]]:
        yield "advanced_config", fields["advanced_config"]

    def claims(self, fields: Fields) -> frozenset[str]:
        return frozenset(fields["domain_names"])

    def with_claims(self, fields: Fields, claims: frozenset[str]) -> Fields:
        return {**fields, "domain_names": sorted(claims)}

    def alias_for(self, name: str, in_use: AbstractSet[str]) -> str | None:
        """`.example.com`: nginx then serves example.com, and whatever is below it.

        There is none where it would draw visitors away from a host that serves those below.
        """
        if name.startswith(".") or "*" in name or {f".{name}", f"*.{name}"} & in_use:
            return None
        return f".{name}"

    def canonical(self, name: str) -> str:
        return name.removeprefix(".")

    def silent(self, fields: Fields) -> Fields:
        # nginx hangs up before it looks for a location, and no page of an error stands in for that.
        # On the same line, errors keep their place.
        return {**fields, "advanced_config": f"return 444; {fields['advanced_config']}"}

    def served(self, fields: Fields, path: str = "/") -> Served:
        del path
        https = bool(fields["certificate_id"])
        return Served(
            names=self.claims(fields),
            upstream=None,
            https=https,
            forced=https and bool(fields["ssl_forced"]),
            is_peculiar=bool(fields["advanced_config"]),
            is_plain=not fields["advanced_config"],
        )

    def holders_in_file(self, data: Mapping[str, Any]) -> Iterable[tuple[Sequence[str | int], str]]:
        domains = data.get("domains")
        for index, item in enumerate(domains if isinstance(domains, tuple | list) else [domains]):
            try:
                yield ("domains", index), domain(item)
            except InvalidValue:
                continue


def _ineffective(fields: Fields) -> frozenset[str]:
    """What `normalise` takes away, whatever the file says."""
    if not fields["certificate_id"]:
        return frozenset({"force_ssl", "http2", "hsts", "hsts_subdomains"})
    if not fields["ssl_forced"]:
        return frozenset({"hsts", "hsts_subdomains"})
    return frozenset() if fields["hsts_enabled"] else frozenset({"hsts_subdomains"})


def typed(fields: Fields, defaults: Fields) -> dict[str, Any]:
    """The fields that have a default, each in the type of that; what is missing is the default."""
    result = dict(zip(defaults, map(fields.get, defaults), strict=True))
    differ = map(is_not, map(type, result.values()), map(type, defaults.values()))
    for name in tuple(compress(result, differ)):
        result[name] = like(result[name], defaults[name])
    return result


def like(value: Any, default: Any) -> Any:
    """`value` in the type of `default`, tolerant of how versions of NPM write the same thing."""
    if value is None:
        return list(default) if isinstance(default, tuple) else default
    if isinstance(default, bool):
        return bool(value)
    if isinstance(default, int):
        return int(value) if str(value).isdigit() else value
    return list(value) if isinstance(default, tuple) else value
