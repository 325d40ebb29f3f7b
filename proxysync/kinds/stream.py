"""Ports that NPM passes on as they are: the kind `stream`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from proxysync.kinds.answers import AsEntry, Flaw, Served, UpstreamProbe
from proxysync.kinds.base import Kind, Own, as_desired, as_entry
from proxysync.kinds.entry import Resource, ValidationSettings, WatchedDefaults, WatchedEntry
from proxysync.kinds.hosts import typed
from proxysync.kinds.references import CERTIFICATE, KIND_OF, Named, ReferenceNames, References
from proxysync.model import Desired, Fields, Snapshot, Upstream
from proxysync.probe.model import Probe
from proxysync.values import streams
from proxysync.values.fields import (
    Bool,
    CertificateName,
    ListenPort,
    Protocols,
    StreamUpstream,
)
from proxysync.values.invalid import InvalidValue

SWITCHES = {"tcp": "tcp_forwarding", "udp": "udp_forwarding"}


class StreamDefaults(WatchedDefaults):
    """The fields of a stream that may be set for all of them.

    `certificate` is none of them: a default that is meant for sites would turn plain TCP into TLS.
    """

    enabled: Bool = Field(default=True, description="Whether NPM serves it.")


class StreamEntry(StreamDefaults, WatchedEntry):
    """One stream as it stands in the file."""

    listen: ListenPort = Field(
        description="The port on NPM's machine; none of NPM's own (80, 81, 443, 3000).",
        examples=[25565],
    )
    upstream: StreamUpstream = Field(
        description="Where it is passed on to: host:port.", examples=[streams.EXAMPLE]
    )
    protocols: Protocols = Field(
        default=("tcp",), description="What is passed on: tcp, udp or both.", examples=[["tcp"]]
    )
    certificate: CertificateName = Field(
        default=None,
        description="One of `certificates`, else one in NPM, by its nice name or a domain that it "
        "covers; auto for the only one that there is; with it NPM (2.12.3 and newer) speaks TLS to "
        "those who come by TCP; or none.",
    )

    @property
    def is_on(self) -> bool:
        return self.enabled

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{protocol}/{self.listen}" for protocol in self.protocols)

    @property
    def named(self) -> Mapping[str, str | None]:
        return {KIND_OF[CERTIFICATE]: self.certificate}

    @property
    def site_is_watched(self) -> bool:
        return False

    @property
    def target(self) -> Upstream:
        """The upstream, with the protocol by which it can be tried."""
        return replace(self.upstream, scheme=self.protocols[0])

    @property
    def leads_to(self) -> str:
        return str(self.target)


class StreamKind(Kind):
    """A stream of NPM.

    NPM takes any port, twice and its own, too: nginx refuses the second of one port, and a port
    that something else has lets it load nothing any more, without a word. A stream with neither
    protocol listens to nothing, and so is what a stream is between two ports.
    """

    name = "stream"
    section = "streams"
    label = "stream"
    collection = "nginx/streams"
    right = "streams"
    right_label = "Streams"
    claim_noun = "port"
    defaults_model = StreamDefaults
    entry_model = StreamEntry
    is_switched_by_put = False
    defaults: ClassVar[Fields] = {
        "incoming_port": 0,
        "forwarding_host": "",
        "forwarding_port": 0,
        "tcp_forwarding": False,
        "udp_forwarding": False,
        "certificate_id": 0,
        "enabled": True,
    }
    optional: ClassVar[Mapping[str, str]] = {"certificate_id": "2.12.3"}
    refers_to: ClassVar[Mapping[str, str]] = {CERTIFICATE: KIND_OF[CERTIFICATE]}
    wire_names: ClassVar[Mapping[str, str]] = {
        "certificate_id": "certificate",
        "forwarding_host": "upstream",
        "forwarding_port": "upstream",
        "incoming_port": "listen",
        "tcp_forwarding": "protocols",
        "udp_forwarding": "protocols",
    }

    def example(self) -> str:
        return "listen and upstream"

    @property
    def risky(self) -> frozenset[str]:
        """Nothing: on a throwaway stream nginx would test no port and no certificate."""
        return frozenset()

    def normal_form(self, fields: Fields) -> Fields:
        result = typed(fields, self.defaults)
        result["forwarding_host"] = result["forwarding_host"].strip().lower()
        return result

    def desired(self, resource: Resource, snapshot: Snapshot, own: Own) -> Desired:
        entry = resource.entry
        assert isinstance(entry, StreamEntry)
        references = References(snapshot, own)
        fields = self.normalise(
            {
                "incoming_port": entry.listen,
                "forwarding_host": entry.upstream.host,
                "forwarding_port": entry.upstream.port,
                **{switch: name in entry.protocols for name, switch in SWITCHES.items()},
                "certificate_id": references.certificate(entry.certificate),
                "enabled": entry.enabled,
            }
        )
        return as_desired(self, resource, fields, references, snapshot)

    def lacks(self, fields: Fields, snapshot: Snapshot) -> Iterable[tuple[str, str]]:
        port = fields["incoming_port"]
        if port == snapshot.admin_port:
            why = f"{port} is the port at which NPM's own API answers; choose another one"
            yield "incoming_port", why
        yield from super().lacks(fields, snapshot)

    def entry_of(self, fields: Fields, snapshot: Snapshot, named: Named) -> AsEntry:
        names = ReferenceNames(snapshot, named)
        every = {
            "listen": fields["incoming_port"],
            "upstream": f"{fields['forwarding_host']}:{fields['forwarding_port']}",
            "protocols": tuple(name for name, switch in SWITCHES.items() if fields[switch]),
            "certificate": names.certificate(fields["certificate_id"]),
            "enabled": fields["enabled"],
        }
        return as_entry(self, every, names.problems)

    def claims(self, fields: Fields) -> frozenset[str]:
        return frozenset(f"{protocol}/{port}" for protocol, port in self.ports(fields))

    def with_claims(self, fields: Fields, claims: frozenset[str]) -> Fields:
        """The definition that listens only to what is claimed of its own port."""
        port = fields["incoming_port"]
        kept = {switch: f"{name}/{port}" in claims for name, switch in SWITCHES.items()}
        return {**fields, **kept}

    def placeholder_definition(self, name: str) -> Fields:
        """A stream without a protocol: nginx gets nothing of it, whatever its port."""
        del name
        return self.normalise(
            {"incoming_port": 65535, "forwarding_host": "127.0.0.1", "forwarding_port": 9}
        )

    def served(self, fields: Fields, path: str = "/") -> Served:
        """No name of a site, for visitors come by the port alone."""
        del path
        return Served(
            names=frozenset(),
            upstream=_upstream(fields),
            https=False,
            forced=False,
            is_peculiar=True,
            is_plain=False,
        )

    def ports(self, fields: Fields) -> frozenset[tuple[str, int]]:
        port = fields["incoming_port"]
        return frozenset((name, port) for name, switch in SWITCHES.items() if fields[switch])

    def leads_to(self, fields: Fields) -> str:
        return str(_upstream(fields))

    def resolved_at_start(self, fields: Fields) -> frozenset[str]:
        host = str(fields["forwarding_host"])
        used = host and "$" not in host and self.ports(fields)
        return frozenset({host}) if used else frozenset()

    def holders_in_file(self, data: Mapping[str, Any]) -> Iterable[tuple[Sequence[str | int], str]]:
        try:
            port = streams.listen_port(data.get("listen"))
            names = streams.protocols(data.get("protocols", ("tcp",)))
        except InvalidValue:
            return
        for name in names:
            yield ("listen",), f"{name}/{port}"

    def flaws(self, data: Mapping[str, Any]) -> Iterable[Flaw]:
        try:
            names = streams.protocols(data.get("protocols", ("tcp",)))
        except InvalidValue:
            return
        if "tcp" not in names and data.get("certificate") not in (None, "none"):
            yield Flaw(
                ("certificate",),
                "means nothing for UDP: NPM speaks TLS over TCP only",
                "leave it out, or add tcp to protocols",
            )

    def probes(self, resource: Resource, settings: ValidationSettings) -> list[UpstreamProbe]:
        """nginx resolves the name when it starts, so that no mode lets one pass that is gone."""
        entry = resource.entry
        assert isinstance(entry, StreamEntry)
        skip = entry.validation.left_out(settings)
        impossible = frozenset({"http"} if "tcp" in entry.protocols else {"tcp", "http"})
        dns = frozenset({"dns"})
        probe = Probe(
            upstream=entry.target,
            skip=(skip - dns) | impossible,
            tcp_timeout=settings.tcp_timeout,
            http_timeout=settings.http_timeout,
            resolver=settings.resolver,
            resolved_at_start=True,
        )
        return [UpstreamProbe(None, entry.target, probe, fatal=dns)]


STREAM = StreamKind()


def _upstream(fields: Fields) -> Upstream:
    only_udp = fields["udp_forwarding"] and not fields["tcp_forwarding"]
    scheme = "udp" if only_udp else "tcp"
    return Upstream(scheme, fields["forwarding_host"], fields["forwarding_port"])
