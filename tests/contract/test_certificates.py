"""Custom certificates: made, uploaded, read, served, deleted."""

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.contract.client import CERTIFICATES, Api, Pair, upstream_to
from tests.contract.conftest import Issue
from tests.world import HOSTS, SUFFIX, domain, eventually

A, B = domain("a"), domain("b")
SECURE = "location / { return 200 $scheme; }"


@pytest.mark.every_version
def test_a_new_one_is_empty(api: Api) -> None:
    body = {"provider": "other", "nice_name": f"x {SUFFIX}"}

    row = api.call("POST", CERTIFICATES, body).json()

    assert {name: row[name] for name in ("provider", "nice_name", "domain_names", "meta")} == {
        **body,
        "domain_names": [],
        "meta": {},
    }
    assert row["expires_on"] == row["created_on"]


@pytest.mark.since("2.12.0")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "data must have required property 'provider'"),
        ({"provider": "no"}, 'data/provider must match pattern "^(letsencrypt|other)$"'),
        ({"provider": "other", "zz": 1}, "data must NOT have additional properties"),
        (
            {"provider": "other", "meta": {"mine": 1}},
            "data/meta must NOT have additional properties",
        ),
    ],
    ids=str,
)
def test_bodies_are_strict(api: Api, body: dict[str, Any], message: str) -> None:
    assert api.refused("POST", CERTIFICATES, body) == (400, message)


@pytest.mark.every_version
def test_an_upload_is_echoed_and_read_with_the_key_in_clear(api: Api, pair: Pair) -> None:
    row_id = api.certificate()
    assert pair.key

    echoed = api.upload(row_id, pair).json()

    texts = {"certificate": pair.certificate.decode(), "certificate_key": pair.key.decode()}
    assert echoed == texts
    row = api.read(CERTIFICATES, row_id)
    assert row["meta"] == texts
    assert (row["domain_names"], row["expires_on"]) == ([A], "2040-01-01 00:00:00")


@pytest.mark.every_version
def test_the_name_is_the_first_word_of_the_subject(api: Api, issue: Issue) -> None:
    two_parts = issue((NameOID.ORGANIZATION_NAME, "Acme"), (NameOID.COMMON_NAME, B))

    row_id = api.certificate(two_parts)

    assert api.read(CERTIFICATES, row_id)["domain_names"] == ["Acme,"]


@pytest.mark.every_version
def test_a_later_upload_keeps_what_it_leaves_out(api: Api, pair: Pair) -> None:
    row_id = api.certificate(Pair(pair.certificate, pair.key, pair.certificate))

    echoed = api.upload(row_id, Pair(pair.certificate)).json()

    assert echoed.keys() == {"certificate", "certificate_key", "intermediate_certificate"}


@pytest.mark.every_version
def test_a_chain_is_never_lost_again_but_can_be_replaced(
    api: Api, pair: Pair, issue: Issue
) -> None:
    row_id = api.certificate(Pair(pair.certificate, pair.key, pair.certificate))

    refused = api.upload(row_id, Pair(pair.certificate, pair.key, b"\n")).status_code
    assert refused == (500 if (2, 13, 0) <= api.version < (2, 14, 0) else 400)

    other = issue((NameOID.COMMON_NAME, A))
    assert (
        api.upload(row_id, Pair(pair.certificate, pair.key, other.certificate)).status_code == 200
    )
    assert api.read(CERTIFICATES, row_id)["meta"]["intermediate_certificate"].encode() == (
        other.certificate
    )


@pytest.mark.every_version
def test_one_file_may_hold_the_chain_and_the_leaf_may_stand_in_it_twice(
    api: Api, pair: Pair, issue: Issue
) -> None:
    other = issue((NameOID.COMMON_NAME, B))
    whole = Pair(pair.certificate + other.certificate, pair.key, pair.certificate)
    api.host(A, certificate_id=api.certificate(whole), advanced_config=SECURE)

    page = api.visit_by_https(A)

    assert page
    assert page.certificate == Pair(pair.certificate).shown


@pytest.mark.every_version
def test_it_cannot_be_renamed(api: Api) -> None:
    row_id = api.certificate()

    status = api.call("PUT", f"{CERTIFICATES}/{row_id}", {"nice_name": f"y {SUFFIX}"}).status_code

    assert status in (404, 500)
    assert api.read(CERTIFICATES, row_id)["nice_name"] == f"c {SUFFIX}"


@pytest.mark.every_version
def test_uploads_that_are_refused(api: Api, pair: Pair, issue: Issue) -> None:
    path = f"{CERTIFICATES}/{api.certificate()}/upload"

    def refusal(**files: bytes | None) -> tuple[int, Any]:
        form = {name: (f"{name}.pem", text) for name, text in files.items()}
        answer = api.call("POST", path, files=form)
        error = answer.json()["error"]
        return answer.status_code, error if isinstance(error, str) else error["message"]

    assert refusal(certificate_key=pair.key) == (400, "Certificate file was not provided")
    status, message = refusal(certificate=pair.certificate, certificate_key=b"rubbish")
    assert (status, message[:28]) == (400, "Certificate Key is not valid")
    expired = issue((NameOID.COMMON_NAME, A), expired=True)
    for bad in (b"rubbish", expired.certificate):
        status, message = refusal(certificate=bad, certificate_key=pair.key)
        if (2, 13, 0) <= api.version < (2, 14, 0):
            assert (status, message) == (500, "Internal Error")
        else:
            assert (status, message[:24]) == (400, "Certificate is not valid")
    assert api.call("POST", path, files={}).json() == {"error": "No files were uploaded"}


@pytest.mark.every_version
def test_validation_needs_no_token_and_looks_at_each_file_alone(
    api: Api, pair: Pair, issue: Issue
) -> None:
    other = issue((NameOID.COMMON_NAME, B))
    api.session.headers.pop("Authorization")

    path = f"{CERTIFICATES}/validate"
    answer = api.call("POST", path, files=Pair(pair.certificate, other.key).files())

    api.session.headers["Authorization"] = f"Bearer {api.token}"
    assert answer.status_code == 200
    dates = {"from": 1577836800, "to": 2208988800}
    facts = {"cn": A, "issuer": f"CN = {A}", "dates": dates}
    assert answer.json() == {"certificate": facts, "certificate_key": True}


@pytest.mark.every_version
def test_what_is_served_by_https(api: Api, pair: Pair) -> None:
    fields = {"certificate_id": api.certificate(pair), "advanced_config": SECURE}
    host = api.host(A, **fields)

    page = api.visit_by_https(A)
    assert page
    assert (page.status, page.text, page.certificate) == (200, "https", pair.shown)
    assert api.visit(A).text == "http"
    assert api.visit_by_https(B) is None

    api.put(HOSTS, host["id"], ssl_forced=True, certificate_id=fields["certificate_id"])
    answer = api.visit(A, "/x?y")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{A}/x?y")


@pytest.mark.every_version
@pytest.mark.parametrize(
    ("fields", "header"),
    [
        ({}, None),
        ({"hsts_enabled": True}, "max-age=63072000; preload"),
        (
            {"hsts_enabled": True, "hsts_subdomains": True},
            "max-age=63072000;includeSubDomains; preload",
        ),
    ],
    ids=str,
)
def test_strict_transport_security(
    api: Api, pair: Pair, upstream: int, fields: dict[str, Any], header: str | None
) -> None:
    certificate = {"certificate_id": api.certificate(pair), "ssl_forced": True}
    api.host(A, forward_port=upstream, **certificate, **fields)

    page = api.visit_by_https(A)

    assert page
    assert page.headers.get("Strict-Transport-Security") == header


@pytest.mark.every_version
def test_redirections_and_dead_hosts_by_https(api: Api, pair: Pair) -> None:
    certificate = api.certificate(pair)
    api.redirection(A, certificate_id=certificate, preserve_path=True)
    api.dead_host(B, certificate_id=certificate)

    moved, missing = api.visit_by_https(A, "/x"), api.visit_by_https(B)

    assert moved
    assert missing
    assert (moved.status, moved.headers["Location"]) == (301, "https://to.example/x")
    assert (missing.status, missing.certificate) == (404, pair.shown)


@pytest.mark.every_version
def test_an_upload_is_served_after_the_next_reload_only(api: Api, pair: Pair, issue: Issue) -> None:
    other = issue((NameOID.COMMON_NAME, A))
    row_id = api.certificate(pair)
    api.host(A, certificate_id=row_id, advanced_config=SECURE)
    assert api.upload(row_id, other).status_code == 200

    before = api.visit_by_https(A)
    assert before
    assert before.certificate == pair.shown
    api.host(B)
    after = api.visit_by_https(A)
    assert after
    assert after.certificate == other.shown


@pytest.mark.every_version
def test_a_key_that_does_not_match_breaks_all_writes_until_it_is_replaced(
    api: Api, pair: Pair, issue: Issue
) -> None:
    other = issue((NameOID.COMMON_NAME, A))
    row_id = api.certificate(pair)
    host = api.host(A, certificate_id=row_id, advanced_config=SECURE)

    assert api.upload(row_id, Pair(other.certificate, pair.key)).status_code == 200

    assert api.call("PUT", f"{HOSTS}/{host['id']}", {"forward_port": 10}).status_code == 500
    served = api.visit_by_https(A)
    assert served
    assert served.certificate == pair.shown
    assert api.upload(row_id, other).status_code == 200
    assert api.put(HOSTS, host["id"], forward_port=10)["meta"]["nginx_online"] is True


@pytest.mark.every_version
def test_a_key_that_openssl_finds_too_small_breaks_all_writes_until_it_is_replaced(
    api: Api, pair: Pair, issue: Issue
) -> None:
    weak = issue((NameOID.COMMON_NAME, A), key=rsa.generate_private_key(65537, 1024))
    row_id = api.certificate(pair)
    api.host(A, certificate_id=row_id)

    assert api.upload(row_id, weak).status_code == 200

    assert api.call("POST", HOSTS, {**upstream_to(9), "domain_names": [B]}).status_code == 500
    assert api.upload(row_id, pair).status_code == 200
    [row] = (row for row in api.rows(HOSTS) if row["domain_names"] == [B])
    assert api.put(HOSTS, row["id"], forward_port=10)["meta"]["nginx_online"] is True


@pytest.mark.every_version
def test_a_host_on_an_empty_certificate_is_offline_until_its_next_put(api: Api, pair: Pair) -> None:
    row_id = api.certificate()
    row = api.host(A, certificate_id=row_id)
    assert "cannot load certificate" in row["meta"]["nginx_err"]

    api.upload(row_id, pair)

    assert api.read(HOSTS, row["id"])["meta"]["nginx_online"] is False
    assert api.put(HOSTS, row["id"], forward_port=10)["meta"]["nginx_online"] is True


@pytest.mark.every_version
def test_a_deleted_one_serves_until_the_next_put(api: Api, pair: Pair) -> None:
    certificate = api.certificate(pair)
    fields = {"certificate_id": certificate, "ssl_forced": True, "advanced_config": SECURE}
    host = api.host(A, **fields)

    assert api.call("DELETE", f"{CERTIFICATES}/{certificate}").json() is True

    assert api.visit(A).status_code == 301
    assert api.visit_by_https(A)
    row = api.put(HOSTS, host["id"], forward_port=10)
    assert (row["certificate"], row["certificate_id"]) == (None, certificate)
    assert row["ssl_forced"]
    assert api.visit(A).text == "http"
    assert api.visit_by_https(A) is None


@pytest.mark.since("2.13.0")
def test_one_knows_who_uses_it(api: Api, pair: Pair) -> None:
    certificate = api.certificate(pair)
    host = api.host(A, certificate_id=certificate)
    expand = "proxy_hosts,redirection_hosts,dead_hosts,streams"

    row = api.call("GET", f"{CERTIFICATES}/{certificate}?expand={expand}").json()

    assert [one["id"] for one in row["proxy_hosts"]] == [host["id"]]
    assert row["redirection_hosts"] == row["dead_hosts"] == row["streams"] == []


@pytest.mark.every_version
def test_they_are_listed_by_name(api: Api) -> None:
    for name in (f"wild {SUFFIX}", f"a {SUFFIX}"):
        api.make(CERTIFICATES, {"provider": "other", "nice_name": name})

    assert [row["nice_name"] for row in api.rows(CERTIFICATES)] == [f"a {SUFFIX}", f"wild {SUFFIX}"]


@pytest.mark.since("2.13.0")
def test_errors_carry_a_stack(api: Api) -> None:
    answer = api.call("GET", f"{CERTIFICATES}/99999")

    assert answer.status_code == 404
    assert answer.json()["error"] == {"code": 404, "message": "Not Found - 99999"}
    assert answer.json()["debug"]["stack"]


class TestWithoutAnAuthority:
    """Let's Encrypt fails on the sandbox; a real NPM must not be able to ask it."""

    @pytest.fixture(autouse=True)
    def _offline(self, api: Api) -> None:
        if api.npm.sandbox is None and "PROXYSYNC_TEST_NPM_OFFLINE" not in os.environ:
            pytest.skip("would ask Let's Encrypt; PROXYSYNC_TEST_NPM_OFFLINE=1 if it cannot")

    def assert_open(self, api: Api) -> None:
        """Whether strangers reach the upstream, after the second reload of such a write."""
        eventually(lambda: '"path": "/"' in api.visit(A).text)

    @pytest.mark.every_version
    def test_lets_encrypt_fails_and_leaves_no_certificate(self, api: Api) -> None:
        body: dict[str, Any] = {"provider": "letsencrypt", "domain_names": [A]}
        if api.version < (2, 13, 0):
            body["meta"] = {"letsencrypt_agree": True, "letsencrypt_email": "a@example.com"}

        assert api.call("POST", CERTIFICATES, body).status_code == 500
        assert api.rows(CERTIFICATES) == []

    @pytest.mark.since("2.15.0")
    def test_a_new_host_is_left_bare(self, api: Api, upstream: int) -> None:
        access = api.access_list(items=[{"username": "u", "password": "p"}])
        body = {**upstream_to(upstream), "domain_names": [A], "access_list_id": access}
        flags = ("ssl_forced", "http2_support", "hsts_enabled", "hsts_subdomains")

        wanted = {**body, **dict.fromkeys(flags, True), "certificate_id": "new"}
        assert api.call("POST", HOSTS, wanted).status_code == 500

        [row] = api.rows(HOSTS)
        assert (row["certificate_id"], row["meta"]) == (0, {})
        assert not any(row[name] for name in flags)
        self.assert_open(api)

    @pytest.mark.since("2.15.0")
    def test_an_update_leaves_the_row_and_opens_the_site(self, api: Api, upstream: int) -> None:
        access = api.access_list(items=[{"username": "u", "password": "p"}])
        host = api.host(A, forward_port=upstream, access_list_id=access)

        answer = api.call("PUT", f"{HOSTS}/{host['id']}", {"certificate_id": "new"})

        assert answer.status_code == 500
        assert api.read(HOSTS, host["id"]) == host
        self.assert_open(api)
