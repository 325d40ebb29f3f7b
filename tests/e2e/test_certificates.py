"""Certificates of the file: what its files hold is what NPM has, and what visitors are shown."""

import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from proxysync.demo.services import DemoService
from proxysync.values import certificates
from tests.servers import read_request, serving
from tests.world import World, domain, eventually

pytestmark = pytest.mark.timeout(120)


def shown(world: World, name: str) -> bytes:
    """The certificate in DER that visitors of this domain are shown; empty if there is none."""
    sandbox = world.npm.sandbox
    host = urlsplit(world.npm.sites_url).hostname or ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    place = (host, sandbox.https_port if sandbox else 443)
    with socket.create_connection(place, 10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=domain(name)) as secure:
                return secure.getpeercert(binary_form=True) or b""
        except ssl.SSLError:
            return b""


def der(pair: trustme.LeafCert) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.cert_chain_pems[0].bytes().decode())


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def issue(ca: trustme.CA, *names: str) -> trustme.LeafCert:
    return ca.issue_cert(*(domain(name) for name in names or ("*",)))


def save(folder: Path, pair: trustme.LeafCert, *, chain: trustme.CA | None = None) -> None:
    """The pair as an authority's client leaves it, key first: each file replaced as a whole."""
    folder.mkdir(exist_ok=True)
    above = chain.cert_pem.bytes() if chain else b""
    put(folder / "privkey.pem", pair.private_key_pem.bytes())
    put(folder / "fullchain.pem", pair.cert_chain_pems[0].bytes() + above)


def put(path: Path, text: bytes) -> None:
    beside = path.with_suffix(".new")
    beside.write_bytes(text)
    beside.replace(path)


WILD = {"certificate": "tls/fullchain.pem", "key": "tls/privkey.pem", "name": domain("wild")}


def upload(
    world: World, npm_id: int, pair: trustme.LeafCert, key: trustme.LeafCert | None = None
) -> None:
    """As somebody does it in NPM; nginx loads it with the next write only."""
    parts = {
        "certificate": pair.cert_chain_pems[0],
        "certificate_key": (key or pair).private_key_pem,
    }
    answer = requests.post(
        f"{world.npm.url}/api/nginx/certificates/{npm_id}/upload",
        headers={"Authorization": str(world.npm._session.headers["Authorization"])},
        files={name: (f"{name}.pem", blob.bytes()) for name, blob in parts.items()},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text


def seeing(world: World, **more: Any) -> dict[str, Any]:
    """Settings with which visitors' HTTPS is looked at; on a real NPM that is the default."""
    sandbox = world.npm.sandbox
    found = {"url": f"https://127.0.0.1:{sandbox.https_port}"} if sandbox else "auto"
    return {"health": {"interval": "1s"}, "resync_interval": "1s", "verify": found, **more}


class Stage:
    """A world whose file has a certificate and a site that is served with it."""

    def __init__(self, world: World, ca: trustme.CA, upstream: str) -> None:
        self.world = world
        self.ca = ca
        self.tls = world.folder / "tls"
        self.entry = {"upstream": upstream, "certificate": "wild", "force_ssl": True}
        self.pair = issue(ca)
        save(self.tls, self.pair)

    def write(self, certificates: Mapping[str, Any] | None = None, **entry: Any) -> None:
        wanted = {"wild": WILD} if certificates is None else certificates
        self.world.write(
            {"one": {**self.entry, **entry}},
            certificates=wanted,
            settings=seeing(self.world),
        )

    def renew(self) -> trustme.LeafCert:
        self.pair = issue(self.ca)
        save(self.tls, self.pair)
        return self.pair

    def rows(self) -> list[dict[str, Any]]:
        found = self.world.npm.call("GET", "/nginx/certificates")
        return [row for row in found if row["nice_name"].endswith("proxysync-test.example")]

    def is_served(self) -> bool:
        return shown(self.world, "one") == der(self.pair)

    def changes(self) -> list[tuple[str, str]]:
        return [(change["action"], change["name"]) for change in self.world.plan()["changes"]]


@pytest.fixture
def stage(world: World, ca: trustme.CA, services: list[DemoService]) -> Stage:
    return Stage(world, ca, services[0].url)


@pytest.fixture
def small_stage(small_world: World, ca: trustme.CA, services: list[DemoService]) -> Stage:
    return Stage(small_world, ca, services[0].url)


def test_it_is_made_served_and_made_no_second_time(stage: Stage) -> None:
    save(stage.tls, stage.pair, chain=stage.ca)
    stage.write()

    outcomes = stage.world.apply()["outcomes"]

    assert [(o["action"], o["name"]) for o in outcomes] == [("create", "wild"), ("create", "one")]
    assert stage.is_served()
    [row] = stage.rows()
    assert row["nice_name"] == domain("wild")
    assert row["meta"]["certificate"].encode() == stage.pair.cert_chain_pems[0].bytes()
    assert row["meta"]["intermediate_certificate"].encode() == stage.ca.cert_pem.bytes()
    assert row["meta"]["certificate_key"].encode() == stage.pair.private_key_pem.bytes()
    stage.world.assert_in_sync()


def test_a_renewed_one_goes_to_the_same_place_and_is_served(stage: Stage) -> None:
    save(stage.tls, stage.pair, chain=stage.ca)
    stage.write()
    stage.world.apply()
    [before] = stage.rows()
    stage.renew()  # and without a chain, which NPM would go on with
    assert stage.changes() == [("update", "wild"), ("update", "one")]

    stage.world.apply()

    assert stage.is_served()
    [row] = stage.rows()
    assert row["id"] == before["id"]
    stage.world.assert_in_sync()
    stage.renew()
    stage.world.apply()
    assert stage.is_served()
    stage.world.assert_in_sync()


@contextmanager
def visitor(stage: Stage) -> Iterator[list[str]]:
    """Asks for the site each 20 ms; what did not go well is in the list."""
    failures: list[str] = []
    ended = threading.Event()

    def visit() -> None:
        while not ended.is_set():
            if not (seen := shown(stage.world, "one")):
                failures.append(f"no handshake, but {seen!r}")
            ended.wait(0.02)

    thread = threading.Thread(target=visit)
    thread.start()
    yield failures
    ended.set()
    thread.join()


def test_the_daemon_serves_a_renewed_one_and_no_visitor_is_lost(stage: Stage) -> None:
    stage.write()
    with stage.world.daemon():
        # Served for good: workers from before its creation go on for a moment.
        eventually(lambda: "proxy.created" in stage.world.event_names(name="one"))
        with visitor(stage) as failures:
            stage.renew()
            eventually(stage.is_served)
            time.sleep(0.2)  # some visits more
        eventually(lambda: "proxy.updated" in stage.world.event_names(name="one"))
    assert failures == []
    assert "edge.not_served" not in stage.world.event_names()
    stage.world.assert_in_sync()


def test_half_a_pair_is_waited_for_and_the_last_one_is_kept(small_stage: Stage) -> None:
    stage = small_stage
    stage.write()
    with stage.world.daemon():
        eventually(stage.is_served)
        old, new = stage.pair, issue(stage.ca)
        put(stage.tls / "fullchain.pem", new.cert_chain_pems[0].bytes())
        eventually(lambda: "config.invalid" in stage.world.event_names())
        assert shown(stage.world, "one") == der(old)

        put(stage.tls / "privkey.pem", new.private_key_pem.bytes())
        eventually(lambda: shown(stage.world, "one") == der(new))
    assert stage.world.event_names().count("config.invalid") == 1


def test_a_swapped_link_is_a_new_certificate(small_stage: Stage) -> None:
    """As certbot has it: `live/` holds links into `archive/`."""
    stage = small_stage
    archive, live = stage.world.folder / "archive", stage.world.folder / "live"
    live.mkdir()
    old, new = issue(stage.ca), issue(stage.ca)
    save(archive, old)
    for name in ("fullchain", "privkey"):
        (archive / f"{name}.pem").rename(archive / f"{name}1.pem")
        (live / f"{name}.pem").symlink_to(f"../archive/{name}1.pem")
    stage.write({"wild": {"certificate": "live/fullchain.pem", "key": "live/privkey.pem"}})
    with stage.world.daemon():
        eventually(lambda: shown(stage.world, "one") == der(old))
        save(archive, new)
        for name in ("privkey", "fullchain"):
            (archive / f"{name}.pem").rename(archive / f"{name}2.pem")
            link = live / f"{name}.new"
            link.symlink_to(f"../archive/{name}2.pem")
            link.replace(live / f"{name}.pem")
        eventually(lambda: shown(stage.world, "one") == der(new))


def test_without_its_state_the_very_same_is_ours_again_without_a_write(stage: Stage) -> None:
    stage.write()
    stage.world.apply()
    for file in stage.world.state.iterdir():
        file.unlink()

    assert stage.changes() == []
    stage.world.apply()

    stage.renew()
    assert stage.changes() == [("update", "wild"), ("update", "one")]


def test_any_other_of_that_name_is_a_conflict_until_it_is_adopted(stage: Stage) -> None:
    npm_id = replace(stage.world.npm, sandbox=None).add_certificate(domain("wild"), domain("*"))
    stage.write()
    assert [action for action, _ in stage.changes()] == ["conflict", "create"]

    done = stage.world.call("adopt", "--yes", "wild")
    assert done.code == 0, done.out + done.err

    stage.world.apply()
    assert [row["id"] for row in stage.rows()] == [npm_id]
    assert stage.is_served()
    stage.world.assert_in_sync()


def test_one_that_left_the_file_goes_but_not_while_anybody_uses_it(stage: Stage) -> None:
    stage.write()
    stage.world.apply()
    [row] = stage.rows()
    theirs = stage.world.npm.add_host(domain("theirs"), certificate_id=row["id"])
    stage.write({}, certificate="none", force_ssl=False)

    done = stage.world.call("apply", "--yes")

    assert done.code == 1
    assert "which proxysync does not manage, uses it" in done.out + done.err
    assert [one["id"] for one in stage.rows()] == [row["id"]]
    stage.world.npm.call("DELETE", f"/nginx/proxy-hosts/{theirs['id']}")
    stage.world.apply()
    assert stage.rows() == []


def test_who_uses_it_besides_is_served_the_renewed_one_too(stage: Stage) -> None:
    stage.write()
    stage.world.apply()
    [row] = stage.rows()
    stage.world.npm.add_host(domain("one-more"), certificate_id=row["id"])
    stage.write(certificate="none", force_ssl=False)
    stage.world.apply()
    stage.renew()

    stage.world.apply()

    eventually(lambda: shown(stage.world, "one-more") == der(stage.pair))


def weak(name: str) -> tuple[bytes, bytes]:
    """A certificate and its key, of a size that OpenSSL does not take any more."""
    key = rsa.generate_private_key(65537, 1024)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start.replace(year=2040))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    shape = serialization.PrivateFormat.PKCS8
    return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, shape, plain
    )


def test_what_nginx_refuses_never_takes_the_place_of_what_works(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "RSA_BITS", range(512, 8193))  # it would be no valid file
    stage.write()
    stage.world.apply()
    [before] = stage.rows()
    certificate, key = weak(domain("*"))
    put(stage.tls / "privkey.pem", key)
    put(stage.tls / "fullchain.pem", certificate)

    done = stage.world.call("apply", "--yes")

    assert done.code == 1
    assert "nginx refuses it" in done.out + done.err
    assert stage.rows() == [before]
    assert len(stage.world.npm.hosts()) == 1
    assert stage.is_served()
    [change] = stage.world.plan()["changes"]
    assert (change["name"], change["held"]["kind"]) == ("wild", "failed")
    stage.renew()
    stage.world.apply()
    assert stage.is_served()


def test_a_new_one_that_nginx_refuses_takes_no_site_down(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "RSA_BITS", range(512, 8193))
    stage.write({}, certificate="none", force_ssl=False)
    stage.world.apply()
    before = stage.world.npm.host("one")
    certificate, key = weak(domain("*"))
    put(stage.tls / "privkey.pem", key)
    put(stage.tls / "fullchain.pem", certificate)
    stage.write()

    done = stage.world.call("apply", "--yes")

    assert done.code == 1
    assert "nginx refuses it" in done.out + done.err
    assert stage.rows() == []
    assert stage.world.npm.host("one") == before
    stage.renew()
    stage.world.apply()  # of a host that was there already
    assert stage.is_served()
    stage.world.assert_in_sync()


def test_a_pair_that_somebody_broke_nginx_with_is_replaced(stage: Stage) -> None:
    stage.write()
    stage.world.apply()
    [row] = stage.rows()
    other = issue(stage.ca)
    upload(stage.world, row["id"], other, key=issue(stage.ca))
    broken = stage.world.npm.api(
        "PUT", f"/nginx/proxy-hosts/{stage.world.npm.host('one')['id']}", {"forward_port": 10}
    )
    assert broken.status_code == 500

    stage.world.apply()

    assert stage.is_served()
    stage.world.assert_in_sync()


def test_it_keeps_the_name_that_it_was_made_with(small_stage: Stage) -> None:
    stage = small_stage
    stage.write()
    stage.world.apply()
    stage.write({"wild": {**WILD, "name": domain("other")}})

    planned = stage.world.plan()

    assert planned["changes"] == []
    [warning] = planned["warnings"]
    assert "NPM cannot change it" in warning["message"]
    stage.world.apply()
    assert stage.rows()[0]["nice_name"] == domain("wild")


def test_a_rollback_leaves_it_as_it_is(small_stage: Stage) -> None:
    stage = small_stage
    stage.write()
    stage.world.apply()
    stage.renew()
    stage.world.apply()
    stage.write(websockets=True)
    stage.world.apply()

    done = stage.world.call("rollback", "2", "--yes")

    assert done.code == 0, done.out + done.err
    assert stage.is_served()
    assert not stage.world.npm.host("one")["allow_websocket_upgrade"]


START = """
import os
from proxysync.npm.client import NpmClient
from proxysync.npm.session import Session
upload, update, write = NpmClient._upload, NpmClient.update, Session.write
def real(thing):
    return ".proxysync.invalid" not in str(thing)
def die(*_):
    os._exit(9)
"""
DIE_BEFORE_UPLOAD = f"{START}\nNpmClient._upload = lambda *a: die() if real(a) else upload(*a)\n"
DIE_AFTER_UPLOAD = f"{START}\nNpmClient._upload = lambda *a: (upload(*a), real(a) and die())[0]\n"
DIE_WITH_CANARY = f"{START}\nNpmClient._upload = lambda *a: (upload(*a), die())\n"
DIE_BEFORE_HOSTS = f"""{START}
NpmClient.update = lambda *a: update(*a) if a[1].is_uploaded else die()
"""
LOSE_THE_ANSWER = f"""{START}
def lose(*a):
    answer = write(*a)
    return die() if a[2] == "/nginx/certificates" and real(a) else answer
Session.write = lose
"""


def die(stage: Stage, first: str) -> None:
    assert stage.world.start("apply", "--yes", first=first).wait(timeout=60) == 9


@pytest.mark.parametrize(
    "first",
    [LOSE_THE_ANSWER, DIE_BEFORE_UPLOAD, DIE_AFTER_UPLOAD],
    ids=["no answer", "before upload", "after upload"],
)
def test_killed_while_it_is_made_it_is_made_once(stage: Stage, first: str) -> None:
    stage.write()
    die(stage, first)
    assert len(stage.rows()) == 1

    stage.world.apply()

    assert len(stage.rows()) == 1
    assert stage.is_served()
    stage.world.assert_in_sync()


@pytest.mark.parametrize(
    "first",
    [DIE_WITH_CANARY, DIE_BEFORE_UPLOAD, DIE_AFTER_UPLOAD, DIE_BEFORE_HOSTS],
    ids=["canary", "before upload", "after upload", "before hosts"],
)
def test_killed_while_it_is_renewed_it_is_served_after_the_next_run(
    stage: Stage, first: str
) -> None:
    stage.write()
    stage.world.apply()
    stage.renew()
    die(stage, first)

    stage.world.apply()

    assert stage.is_served()
    for collection, name in (("certificates", "nice_name"), ("proxy-hosts", "domain_names")):
        rows = stage.world.npm.call("GET", f"/nginx/{collection}")
        assert not [row for row in rows if "proxysync.invalid" in str(row[name])]
    stage.world.assert_in_sync()


def test_no_key_is_shown_or_kept_anywhere(small_stage: Stage) -> None:
    stage = small_stage
    stage.write()
    said = [stage.world.call("plan", "--format", "json").out]
    stage.world.apply()
    stage.renew()
    (stage.tls / "privkey.pem").chmod(0o600)
    for words in (["plan"], ["apply", "--yes"], ["history"], ["status", "--format", "json"]):
        done = stage.world.call(*words)
        said += [done.out, done.err]
    put(stage.tls / "privkey.pem", stage.ca.issue_cert("x.example.com").private_key_pem.bytes())
    said.append(stage.world.call("validate", "--no-probe").err)
    kept = [file.read_bytes().decode(errors="replace") for file in stage.world.state.iterdir()]
    for line in stage.pair.private_key_pem.bytes().decode().splitlines()[1:-1]:
        assert not [text for text in (*said, *kept) if line in text]


def test_auto_takes_the_files_own_and_may_be_a_default(stage: Stage) -> None:
    replace(stage.world.npm, sandbox=None).add_certificate(domain("exact"), domain("one"))
    entry = {name: value for name, value in stage.entry.items() if name != "certificate"}
    stage.world.write(
        {"one": entry},
        defaults={"certificate": "auto"},
        certificates={"wild": WILD},
        settings=seeing(stage.world),
    )

    stage.world.apply()

    assert stage.is_served()
    stage.world.assert_in_sync()


def test_auto_without_one_that_fits_says_what_there_is(small_stage: Stage) -> None:
    stage = small_stage
    stage.write(certificate="auto", domains=["one.example.org"])

    [change] = [c for c in stage.world.plan()["changes"] if c["kind"] == "proxy"]

    assert change["action"] == "conflict"
    assert "one.example.org" in change["reason"]
    assert f'"{domain("wild")}" (covers {domain("*")})' in change["reason"]


def test_what_a_browser_would_refuse_is_a_warning(small_stage: Stage) -> None:
    stage = small_stage
    stage.world.write(
        {
            "one": {**stage.entry, "domains": [domain("one"), "one.example.org"]},
            "two": {**stage.entry, "certificate": "none"},
        },
        certificates={"wild": WILD},
    )
    expected = [("one", "not for one.example.org"), ("two", "force_ssl does nothing")]

    planned = stage.world.plan()
    checked = stage.world.call("validate", "--no-probe", "--format", "json")
    probed = stage.world.call("validate", "--format", "json")

    assert (checked.code, probed.code) == (0, 0)
    for found in (planned, checked.json, probed.json):
        told = [(warning["name"], warning["message"]) for warning in found["warnings"]]
        assert [name for name, _ in told] == [name for name, _ in expected]
        assert all(
            words in message for (_, message), (_, words) in zip(told, expected, strict=True)
        )
    for words in (["plan"], ["validate", "--no-probe"], ["validate"]):
        out = stage.world.call(*words).out
        assert out.count("Warning: ") == 2
        assert f'Warning: one: certificate "wild" is for {domain("*")}, and not for' in out


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("fullchain.pem", None, "does not exist"),
        ("privkey.pem", b"", "holds no private key in PEM"),
        ("privkey.pem", b"x" * 70_000, "is too large"),
        ("fullchain.pem", b"\xff", "is no PEM text"),
    ],
)
def test_files_that_cannot_be_used_are_errors_at_their_place(
    small_stage: Stage, file: str, text: bytes | None, message: str
) -> None:
    stage = small_stage
    (stage.tls / file).unlink()
    if text is not None:
        put(stage.tls / file, text)
    stage.write()

    done = stage.world.call("validate", "--no-probe")

    assert done.code == 1
    field = "key" if "key" in file else "certificate"
    place = f"{stage.world.file}:{3 if field == 'certificate' else 4}:5: certificates.wild.{field}"
    assert f"{place}: {stage.tls / file} {message}" in done.err


def test_a_folder_and_one_for_other_domains_are_errors_too(small_stage: Stage) -> None:
    stage = small_stage
    stage.write({"wild": {**WILD, "certificate": "tls"}})
    told = stage.world.call("validate", "--no-probe").err
    assert f"certificates.wild.certificate: {stage.tls} is a directory" in told
    stage.write(domains=["one.example.org"])
    told = stage.world.call("validate", "--no-probe").err
    assert f"certificates.wild.certificate: is for {domain('*')}, and so for none" in told


def test_one_that_is_served_before_it_was_read_from_npm_is_no_trouble(
    small_stage: Stage,
) -> None:
    """As while it is being applied: what is known of NPM is older than what nginx serves."""
    stage, checks = small_stage, []

    def answer(connection: socket.socket) -> None:
        checks.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with serving(answer) as server:
        stage.entry["upstream"] = f"http://127.0.0.1:{server.port}"
        stage.write()
        text = stage.world.file.read_text()
        stage.world.file.write_text(text.replace("resync_interval: 1s", "resync_interval: 1h"))
        with stage.world.daemon():
            eventually(lambda: "proxy.created" in stage.world.event_names(name="one"))
            begin = len(checks)
            eventually(lambda: len(checks) > begin + 6)
            upload(stage.world, stage.rows()[0]["id"], new := issue(stage.ca))
            stage.world.npm.add_host(domain("reloads"))
            assert shown(stage.world, "one") == der(new)
            begin = len(checks)
            eventually(lambda: len(checks) > begin + 12)
    assert [e["message"] for e in stage.world.events() if e["event"] == "edge.not_served"] == []


def test_one_that_nginx_has_not_loaded_is_noticed_and_loaded(
    world: World, services: list[DemoService]
) -> None:
    ca = trustme.CA()
    old, new = ca.issue_cert(domain("one")), ca.issue_cert(domain("one"))
    npm_id = replace(world.npm, sandbox=None).add_certificate(domain("tls"), domain("one"))
    upload(world, npm_id, old)
    world.write(
        {"one": {"upstream": services[0].url, "certificate": domain("tls")}},
        settings=seeing(world),
    )

    with world.daemon():
        eventually(lambda: shown(world, "one") == der(old))
        upload(world, npm_id, new)

        eventually(lambda: shown(world, "one") == der(new))
        eventually(lambda: "edge.served" in world.event_names(name="one"))
    told = [e["message"] for e in world.events() if e["event"] == "edge.not_served"]
    assert len(told) == 1
    assert "another certificate than NPM has" in told[0]
