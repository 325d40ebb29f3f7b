"""Certificates from files: the kind `certificate`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Self

from pydantic import Field, PrivateAttr

from proxysync.kinds.answers import AsEntry, Flaw
from proxysync.kinds.base import Own, as_desired
from proxysync.kinds.covering import uncovered
from proxysync.kinds.entry import Entry, Resource
from proxysync.kinds.references import Named, References
from proxysync.kinds.referred import ReferredEntry, ReferredKind
from proxysync.model import Desired, Fields, Live, Snapshot, clock
from proxysync.values import pem
from proxysync.values.fields import FileName
from proxysync.values.invalid import of_field

LISTS_HOSTS = (2, 12, 6)
"""The oldest NPM that is known to list the hosts of a certificate."""

LISTS_STREAMS = (2, 13, 7)
"""The oldest that is known to list its streams, too; others answer HTTP 500 to the question."""

PARTS = ("certificate", "intermediate_certificate", "certificate_key")
"""What NPM calls the three texts, in an upload and in what it shows."""

DIGESTS = {"leaf": "leaf_sha256", "chain": "chain_sha256", "key": "key_sha256"}
"""The fields by which they are compared, so that the texts themselves stay out of all fields."""

HAS_CHAIN = "has chain"


@dataclass(frozen=True)
class Content:
    """What the files hold. The texts are those of NPM's parts."""

    texts: Mapping[str, str] = field(repr=False)
    names: tuple[str, ...] = ()
    expires: datetime | None = None

    @cached_property
    def digests(self) -> Fields:
        """What the texts are compared by; asked for by each host that could have it."""
        return _digests(self.texts)


class CertificateEntry(ReferredEntry):
    """One certificate as it stands in the file."""

    certificate: FileName = Field(
        description="The file with the certificate, in PEM, and the rest of its chain, if that is "
        "not in a file of its own; a relative path starts where this file is.",
        examples=["tls/fullchain.pem"],
    )
    key: FileName = Field(
        description="The file with its private key, in PEM and without a passphrase.",
        examples=["tls/privkey.pem"],
    )
    chain: FileName | None = Field(
        default=None,
        description="The file with those that vouch for it, in PEM.",
        examples=["tls/chain.pem"],
    )
    _content: Content = PrivateAttr(default=Content({}))

    @property
    def content(self) -> Content:
        return self._content

    @property
    def covers(self) -> tuple[str, ...]:
        return self._content.names

    @property
    def expires(self) -> datetime | None:
        return self._content.expires

    @property
    def fingerprint(self) -> str:
        return str(self._content.digests[DIGESTS["leaf"]])

    @property
    def files(self) -> Mapping[str, str]:
        named = {"certificate": self.certificate, "key": self.key, "chain": self.chain}
        return {name: path for name, path in named.items() if path is not None}

    def with_files(self, contents: Mapping[str, bytes]) -> Self:
        from proxysync.values import certificates  # noqa: PLC0415 - few files need `cryptography`

        with of_field("certificate"):
            found = certificates.certificates_in(contents["certificate"])
        with of_field("chain"):
            if "chain" in contents:
                found += certificates.certificates_in(contents["chain"])
        with of_field("certificate"):
            chain = certificates.read_chain(found, clock.now())
        with of_field("key"):
            key = certificates.read_key(contents["key"], chain)
        entry = self.model_copy()
        texts = dict(zip(PARTS, (chain.leaf, chain.rest, key), strict=True))
        entry._content = Content(texts, chain.names, chain.expires)  # noqa: SLF001 - its own
        return entry


class CertificateKind(ReferredKind):
    """A certificate that was uploaded to NPM.

    NPM makes an empty one first, to which the files are uploaded; it can be neither renamed nor
    changed otherwise, and an upload reaches visitors with the next reload of nginx only. A chain
    that was there is never lost by an upload without one: then the leaf is sent in its place.
    """

    name = "certificate"
    section = "certificates"
    label = "certificate"
    collection = "nginx/certificates"
    right = "certificates"
    right_label = "Certificates"
    entry_model = CertificateEntry
    defaults: ClassVar[Fields] = {"nice_name": "", **dict.fromkeys(DIGESTS.values(), "")}
    derived = frozenset(DIGESTS.values())
    fixed = frozenset({"nice_name"})
    is_uploaded = True
    can_be_imported = False

    @property
    def risky(self) -> frozenset[str]:
        """All of it: nginx starts with no certificate that OpenSSL does not take."""
        return self.derived

    def example(self) -> str:
        return "certificate and key"

    def manages(self, row: Mapping[str, Any]) -> bool:
        """Those that NPM gets from Let's Encrypt take no upload."""
        return row.get("provider") == "other"

    def complete(self, row: Mapping[str, Any]) -> Fields:
        return {"nice_name": str(row.get("nice_name") or ""), **_digests(_texts(row))}

    def normal_form(self, fields: Fields) -> Fields:
        return {name: str(fields.get(name) or "") for name in self.defaults}

    def desired(self, resource: Resource, snapshot: Snapshot, own: Own) -> Desired:
        entry = resource.entry
        assert isinstance(entry, CertificateEntry)
        fields = {"nice_name": entry.name or resource.name, **entry.content.digests}
        references = References(snapshot, own)
        return as_desired(self, resource, fields, references, snapshot, entry.content.texts)

    def entry_of(self, fields: Fields, snapshot: Snapshot, named: Named) -> AsEntry:
        raise NotImplementedError("its files are not NPM's to give")

    def title(self, fields: Fields) -> str:
        return str(fields["nice_name"])

    def likeness(self, fields: Fields) -> frozenset[str]:
        return frozenset({f"called {fields['nice_name']}", f"holds {fields[DIGESTS['leaf']]}"})

    def lacks(self, fields: Fields, snapshot: Snapshot) -> Iterable[tuple[str, str]]:
        yield from super().lacks(fields, snapshot)
        title = self.title(fields)
        uploaded = {o.npm_id: self.title(o.fields) for o in snapshot.objects if o.kind == self.name}
        others = [
            c.npm_id
            for c in snapshot.certificates
            if c.nice_name == title and c.npm_id not in uploaded
        ]
        if others and title not in uploaded.values():
            problem = (
                f'NPM got its certificate #{others[0]}, which is called "{title}", from Let\'s '
                "Encrypt; give the entry another `name`"
            )
            yield "nice_name", problem

    def told_users(self, version: tuple[int, int, int] | None) -> Mapping[str, str]:
        told: dict[str, str] = {}
        if version is None or version >= LISTS_HOSTS:
            told |= {"proxy_hosts": "proxy", "redirection_hosts": "redirection"}
            told |= {"dead_hosts": "not_found_host"}
        if version is None or version >= LISTS_STREAMS:
            told |= {"streams": "stream"}
        return told

    def hints(self, row: Mapping[str, Any]) -> Mapping[str, str]:
        return {HAS_CHAIN: "yes"} if _texts(row).get(PARTS[1]) else {}

    def with_secrets(self, payload: Mapping[str, Any], secrets: Mapping[str, str]) -> Fields:
        del secrets
        return {"provider": "other", "nice_name": payload["nice_name"]}

    def upload(self, secrets: Mapping[str, str], live: Live) -> Mapping[str, str]:
        leaf, chain, key = (secrets[part] for part in PARTS)
        needs_chain = chain or HAS_CHAIN in live.hints
        return {
            "certificate": leaf,
            "certificate_key": key,
            **({"intermediate_certificate": chain or leaf} if needs_chain else {}),
        }

    def lacks_secrets(self, want: Desired, have: Fields | None) -> str | None:
        if want.secrets or have is not None:
            return None
        return "no copy is kept of files that were uploaded; put it back into the file"

    def flaws_among(self, entry: Entry, users: Sequence[Entry]) -> Iterable[Flaw]:
        sites = [user.sites for user in users if user.sites]
        if sites and all(len(uncovered(each, entry.covers)) == len(each) for each in sites):
            names = ", ".join(entry.covers) or "no name"
            yield Flaw(
                ("certificate",),
                f"is for {names}, and so for none of the domains of the entries that name it",
                "give the file of the certificate for their domains",
            )


CERTIFICATE = CertificateKind()


def _texts(row: Mapping[str, Any]) -> Mapping[str, str]:
    meta = row.get("meta")
    found = meta if isinstance(meta, dict) else {}
    return {part: text for part in PARTS if isinstance(text := found.get(part), str)}


def _digests(texts: Mapping[str, str]) -> Fields:
    found = pem.digests(*(texts.get(part, "") for part in PARTS))
    return {field: found[name] for name, field in DIGESTS.items()}
