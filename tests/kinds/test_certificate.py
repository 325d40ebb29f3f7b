"""Certificates from files, seen alone: what is a row of this kind, and what of it is shown."""

import pytest
import trustme

from proxysync.kinds import KINDS, Kind
from proxysync.kinds.certificate import CertificateEntry
from proxysync.kinds.entry import Resource
from proxysync.kinds.references import References
from proxysync.model import Certificate, Key, Reference, Snapshot
from proxysync.model.position import Position
from proxysync.npm.form import Form
from proxysync.npm.wire import read_certificates, read_live

NOTHING = Snapshot(objects=())


@pytest.fixture
def kind() -> Kind:
    return KINDS["certificate"]


@pytest.fixture(scope="module")
def pair() -> trustme.LeafCert:
    return trustme.CA().issue_cert("*.example.com", "example.com")


@pytest.fixture
def entry(pair: trustme.LeafCert) -> CertificateEntry:
    files = {
        "certificate": pair.cert_chain_pems[0].bytes(),
        "key": pair.private_key_pem.bytes(),
    }
    return CertificateEntry(certificate="c.pem", key="k.pem").with_files(files)


def test_only_what_was_uploaded_is_one(kind: Kind) -> None:
    assert kind.manages({"provider": "other"})
    assert not kind.manages({"provider": "letsencrypt"})


def test_what_npm_shows_is_what_the_files_say(
    kind: Kind, entry: CertificateEntry, pair: trustme.LeafCert
) -> None:
    desired = kind.desired(
        Resource(Key("certificate", "wild"), entry, Position("f", 1, 1)), NOTHING, {}
    )
    row = {
        "id": 7,
        "provider": "other",
        "nice_name": "wild",
        "domain_names": ["Acme,"],
        "meta": {
            "certificate": pair.cert_chain_pems[0].bytes().decode().replace("\n", "\r\n"),
            "certificate_key": pair.private_key_pem.bytes().decode(),
        },
    }

    live = read_live(kind, row)
    [certificate] = read_certificates([row])

    assert live.fields == desired.fields
    assert certificate.leaf == entry.fingerprint
    assert certificate.domains == entry.covers == ("*.example.com", "example.com")
    form = Form(kind.upload(desired.secrets, live))
    for shown in (live, certificate, desired, entry, entry.content, form):
        assert "BEGIN" not in repr(shown)


def test_one_that_npm_renews_itself_keeps_its_name_to_itself(
    kind: Kind, entry: CertificateEntry
) -> None:
    resource = Resource(Key("certificate", "wild"), entry, Position("f", 1, 1))
    theirs = Certificate(4, "wild", ("example.com",), "2040-01-01 00:00:00")

    problem = kind.desired(resource, Snapshot(objects=(), certificates=(theirs,)), {}).problem

    assert problem
    assert "NPM got its certificate #4" in problem
    assert kind.desired(resource, NOTHING, {}).problem is None


def test_a_chain_that_npm_would_keep_is_replaced_by_the_leaf(
    kind: Kind, entry: CertificateEntry
) -> None:
    texts = entry.content.texts
    bare = {"id": 7, "meta": {}}
    chained = {"id": 7, "meta": {"intermediate_certificate": "x"}}

    assert "intermediate_certificate" not in kind.upload(texts, read_live(kind, bare))
    sent = kind.upload(texts, read_live(kind, chained))
    assert sent["intermediate_certificate"] == sent["certificate"]
    assert read_live(kind, {"id": 7, "meta": sent}).fields["chain_sha256"] == ""


def test_the_files_own_is_found_before_npms(entry: CertificateEntry) -> None:
    key = Key("certificate", "wild")
    own = {key: entry.model_copy(update={"name": "In NPM"})}
    theirs = Certificate(3, "wild", ("*.example.com",), "2040-01-01 00:00:00")
    same = Certificate(4, "In NPM", ("*.example.com",), "2040-01-01 00:00:00")
    snapshot = Snapshot(objects=(), certificates=(theirs, same))

    def found(name: str, *domains: str) -> object:
        return References(snapshot, own).certificate(name, domains)

    assert found("wild") == found("In NPM") == found("a.example.com") == Reference.to(key)
    assert found("auto", "a.example.com") == found("auto") == Reference.to(key)
    assert References(snapshot, {}).certificate("wild") == 3
