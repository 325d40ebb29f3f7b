"""Certificates: read with their keys, made empty, deleted while in use."""

from tests.sandbox.conftest import Api

PATH = "/nginx/certificates"


def test_certificates_are_listed_by_name_with_their_keys_in_clear(api: Api) -> None:
    api.npm.add_certificate("wild", ["*.example.com"], "2030-01-02 03:04:05")
    api.npm.add_certificate("a", ["a.test"])

    rows = api.call("GET", PATH).json()

    assert [row["nice_name"] for row in rows] == ["a", "wild"]
    assert rows[1]["domain_names"] == ["*.example.com"]
    assert rows[1]["expires_on"] == "2030-01-02 03:04:05"
    assert rows[1]["provider"] == "other"
    assert "PRIVATE KEY" in rows[1]["meta"]["certificate_key"]
    assert api.call("GET", f"{PATH}/{rows[0]['id']}").json() == rows[0]


def test_errors_below_certificates_carry_a_stack(api: Api) -> None:
    answer = api.call("GET", f"{PATH}/77")

    assert answer.status_code == 404
    assert answer.json()["error"] == {"code": 404, "message": "Not Found - 77"}
    assert answer.json()["debug"]["stack"]


def test_a_host_on_an_empty_certificate_is_offline(api: Api) -> None:
    made = api.call("POST", PATH, {"provider": "other", "nice_name": "x"})
    assert made.status_code == 201

    row = api.host("a.test", certificate_id=made.json()["id"])

    assert "cannot load certificate" in row["meta"]["nginx_err"]


def test_a_deleted_certificate_serves_until_the_next_put(api: Api, upstream: int) -> None:
    certificate = api.npm.add_certificate("c", ["a.test"])
    fields = {"certificate_id": certificate, "ssl_forced": True}
    host = api.host("a.test", forward_port=upstream, **fields)
    assert len(api.call("GET", f"{PATH}?expand=proxy_hosts").json()[0]["proxy_hosts"]) == 1

    assert api.call("DELETE", f"{PATH}/{certificate}").json() is True

    assert api.visit("a.test").status_code == 301
    row = api.put(host["id"], forward_port=upstream)
    assert (row["certificate"], row["certificate_id"], row["ssl_forced"]) == (
        None,
        certificate,
        True,
    )
    assert api.visit("a.test").status_code == 200


def test_lets_encrypt_fails_and_leaves_no_certificate(api: Api) -> None:
    body = {"provider": "letsencrypt", "domain_names": ["a.test"]}

    assert api.call("POST", PATH, body).status_code == 500
    assert api.call("GET", PATH).json() == []
