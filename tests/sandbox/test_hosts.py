"""Proxy hosts and their traps; the other two types of host as far as they matter."""

import re
from typing import Any

import pytest

from proxysync.sandbox import Sandbox
from tests.sandbox.conftest import HOSTS, Api, upstream_to

ALL_FLAGS = dict.fromkeys(("ssl_forced", "http2_support", "hsts_enabled", "hsts_subdomains"), True)
BAD = "no_such_directive on;"


def flags(row: dict[str, Any]) -> str:
    """The four flags as letters: s(sl_forced) h(ttp2) e(nabled hsts) u(subdomains)."""
    return "".join(letter for letter, name in zip("sheu", ALL_FLAGS, strict=True) if row[name])


def test_a_new_host_has_npms_fields_and_defaults(api: Api) -> None:
    row = api.host("a.test")

    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row.pop("created_on"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row.pop("modified_on"))
    assert row == {
        "id": 1,
        "owner_user_id": 1,
        "domain_names": ["a.test"],
        **upstream_to(9),
        "access_list_id": 0,
        "certificate_id": 0,
        **dict.fromkeys(ALL_FLAGS, False),
        "caching_enabled": False,
        "block_exploits": False,
        "allow_websocket_upgrade": False,
        "trust_forwarded_proto": False,
        "advanced_config": "",
        "enabled": True,
        "locations": None,
        "meta": {"nginx_online": True, "nginx_err": None},
    }


def test_the_answer_to_a_post_does_not_say_whether_nginx_took_it(api: Api) -> None:
    body = {**upstream_to(9), "domain_names": ["a.test"], "meta": {"mine": 1}}

    row = api.call("POST", HOSTS, body).json()

    assert row["meta"] == {"mine": 1}
    assert row["owner"]["email"] == "admin@example.com"
    assert row["certificate"] is None
    assert row["access_list"] is None
    assert api.read(row["id"])["meta"] == {"mine": 1, "nginx_online": True, "nginx_err": None}


def test_meta_is_replaced_whole_and_kept_when_left_out(api: Api) -> None:
    host = api.host("a.test", meta={"mine": {"deep": [1]}, "other": 1})
    online = {"nginx_online": True, "nginx_err": None}

    assert api.put(host["id"], forward_port=10)["meta"]["mine"] == {"deep": [1]}
    assert api.put(host["id"], meta={"new": 1})["meta"] == {"new": 1, **online}
    assert api.put(host["id"], forward_port=11)["meta"] == {"new": 1, **online}


def test_an_update_is_a_shallow_patch(api: Api) -> None:
    location = {**upstream_to(9), "path": "/x"}
    host = api.host("a.test", locations=[location, {**location, "path": "/y"}], block_exploits=True)

    row = api.put(host["id"], locations=[{**location, "id": None}])

    assert row["locations"] == [{**location, "id": None}]
    assert row["block_exploits"] is True
    assert row["forward_port"] == 9


def test_names_are_sorted_by_code_unit(api: Api) -> None:
    row = api.host("b.test", "ä.test", "B.test", "_.test", "a.test")

    assert row["domain_names"] == ["B.test", "_.test", "a.test", "b.test", "ä.test"]


def test_a_name_is_taken_in_any_case_and_by_any_type_of_host(api: Api) -> None:
    host = api.host("a.test", enabled=False)
    api.npm.add_redirection_host(["r.test"])
    api.npm.add_dead_host(["d.test"])

    for name in ("A.test", "R.TEST", "d.test"):
        body = {**upstream_to(9), "domain_names": ["free.test", name]}
        answer = api.call("POST", HOSTS, body)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == f"{name} is already in use"
    assert api.put(host["id"], domain_names=["a.test", "A.test"])["domain_names"] == [
        "A.test",
        "a.test",
    ]
    dead = api.call("POST", "/nginx/dead-hosts", {"domain_names": ["a.TEST"]})
    assert dead.json()["error"]["message"] == "a.TEST is already in use"


def test_a_wildcard_clashes_with_the_same_wildcard_only(api: Api) -> None:
    api.host("*.x.test")

    assert api.host("a.x.test")["meta"]["nginx_online"]
    body = {**upstream_to(9), "domain_names": ["*.X.test"]}
    assert api.call("POST", HOSTS, body).status_code == 400


def test_a_deleted_host_is_gone_its_name_free_and_its_id_spent(api: Api) -> None:
    host = api.host("a.test")
    path = f"{HOSTS}/{host['id']}"

    assert api.call("DELETE", path).json() is True

    for method, tail in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/enable")):
        body = {"forward_port": 10} if method == "PUT" else None
        answer = api.call(method, path + tail, body)
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == f"Not Found - {host['id']}"
    assert api.npm.proxy_hosts() == []
    assert api.host("a.test")["id"] == host["id"] + 1


@pytest.mark.parametrize(
    ("method", "tail", "status", "message"),
    [
        ("GET", "/abc", 400, "Internal Error"),
        ("GET", "/0", 400, "Internal Error"),
        ("GET", "/-1", 400, "Internal Error"),
        ("PUT", "/abc", 404, "Not Found"),
        ("DELETE", "/abc", 404, "Not Found"),
        ("PATCH", "/1", 404, f"Not Found - {HOSTS}/1"),
        ("DELETE", "", 404, f"Not Found - {HOSTS}"),
        ("GET", "?expand=nope", 500, "Internal Error"),
        ("GET", "?expand=owner,locations", 500, "Internal Error"),
        ("GET", f"?query={'x' * 256}", 400, "Internal Error"),
    ],
)
def test_odd_paths_have_odd_answers(
    api: Api, method: str, tail: str, status: int, message: str
) -> None:
    answer = api.call(method, HOSTS + tail, {"forward_port": 1} if method == "PUT" else None)

    assert answer.status_code == status
    assert answer.json()["error"] == {"code": status, "message": message}


def test_the_list_is_whole_and_in_the_order_of_its_names(api: Api) -> None:
    for name in ("b.test", "B.example", "a.test"):
        api.host(name)
    api.host("off.test", enabled=False)

    def names(tail: str) -> list[str]:
        return [row["domain_names"][0] for row in api.call("GET", HOSTS + tail).json()]

    assert names("") == ["B.example", "a.test", "b.test", "off.test"]
    assert names("/?limit=1&sort=id") == names("")
    assert names("?query=B.") == ["B.example", "b.test"]
    assert names("?expand=&query=") == names("")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([ALL_FLAGS], ""),
        ([{**ALL_FLAGS, "certificate_id": 0}], "sheu"),
        ([{**ALL_FLAGS, "certificate_id": "0"}], "sheu"),
        ([{**ALL_FLAGS, "certificate_id": None}], "sheu"),
        ([{**ALL_FLAGS, "certificate_id": 0}, {"forward_port": 10}], ""),
        ([{**ALL_FLAGS, "certificate_id": 1}, {"certificate_id": 0}], "sheu"),
        ([{**ALL_FLAGS, "certificate_id": 1}, {"forward_port": 10}], "sheu"),
        ([{**ALL_FLAGS, "certificate_id": 1, "ssl_forced": False}], "h"),
        ([{**ALL_FLAGS, "certificate_id": 1, "hsts_enabled": False}], "sh"),
        ([{**ALL_FLAGS, "certificate_id": 99999}], "sheu"),
        ([{**dict.fromkeys(ALL_FLAGS, 1), "certificate_id": 1}], "sheu"),
    ],
)
def test_ssl_flags_follow_npms_own_logic(
    api: Api, steps: list[dict[str, Any]], expected: str
) -> None:
    api.npm.add_certificate("c", ["a.test"])
    host = api.host("a.test")
    for step in steps:
        row = api.put(host["id"], **step)

    assert flags(row) == expected
    assert flags(api.host("b.test", **steps[0])) == flags(api.put(host["id"], **steps[0]))


def test_put_enabled_false_leaves_the_site_served(api: Api, upstream: int) -> None:
    host = api.host("a.test", forward_port=upstream)

    assert api.put(host["id"], enabled=False)["enabled"] is False

    assert api.visit("a.test").json()["path"] == "/"
    again = api.call("POST", f"{HOSTS}/{host['id']}/disable")
    assert (again.status_code, again.json()["error"]["message"]) == (
        400,
        "Host is already disabled",
    )
    api.put(host["id"], domain_names=["b.test"])
    assert api.visit("a.test").json()["path"] == "/"
    assert "Congratulations" in api.visit("b.test").text
    api.put(host["id"], enabled=True)
    assert api.call("POST", f"{HOSTS}/{host['id']}/disable").json() is True
    assert "Congratulations" in api.visit("b.test").text
    assert "Congratulations" in api.visit("a.test").text


def test_disable_takes_the_site_down_and_leaves_meta_alone(api: Api, upstream: int) -> None:
    host = api.host("a.test", forward_port=upstream)

    assert api.call("POST", f"{HOSTS}/{host['id']}/disable").json() is True

    assert "Congratulations" in api.visit("a.test").text
    row = api.read(host["id"])
    assert (row["enabled"], row["meta"]["nginx_online"]) == (False, True)
    enable = f"{HOSTS}/{host['id']}/enable"
    assert api.call("POST", enable).json() is True
    assert api.visit("a.test").json()["path"] == "/"
    answer = api.call("POST", enable)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "Host is already enabled",
    )


def test_enable_opens_a_protected_site_and_put_closes_it(api: Api, upstream: int) -> None:
    access = api.npm.add_access_list("team", [{"username": "u", "password": "p"}])
    host = api.host("a.test", forward_port=upstream, access_list_id=access)
    assert api.visit("a.test").status_code == 401

    api.call("POST", f"{HOSTS}/{host['id']}/disable")
    api.call("POST", f"{HOSTS}/{host['id']}/enable")
    assert api.visit("a.test").status_code == 200

    api.put(host["id"], enabled=True)
    assert api.visit("a.test").status_code == 401


def test_a_disabled_host_is_not_tested(api: Api) -> None:
    row = api.host("a.test", enabled=False, advanced_config=BAD)

    assert row["meta"]["nginx_online"] is True
    assert "Congratulations" in api.visit("a.test").text


def test_a_bad_configuration_is_a_success_with_the_site_down(api: Api, upstream: int) -> None:
    created = api.host("new.test", advanced_config=BAD)
    assert (created["enabled"], created["meta"]["nginx_online"]) == (True, False)
    host = api.host("a.test", forward_port=upstream)
    other = api.host("b.test", forward_port=upstream)

    row = api.put(host["id"], advanced_config=BAD)

    assert row["meta"]["nginx_online"] is False
    assert 'unknown directive "no_such_directive" in /data/nginx/' in row["meta"]["nginx_err"]
    assert row["advanced_config"] == BAD
    assert "Congratulations" in api.visit("a.test").text
    assert api.visit("b.test").json()["path"] == "/"
    assert api.read(other["id"])["meta"]["nginx_online"] is True
    assert api.put(host["id"], advanced_config="")["meta"]["nginx_online"] is True
    assert api.visit("a.test").json()["path"] == "/"


class TestWhileSomethingElseIsBroken:
    """`nginx -t` fails for all: 500, after the row was changed."""

    @pytest.fixture
    def host(self, api: Api, upstream: int) -> dict[str, Any]:
        row = api.host("a.test", forward_port=upstream)
        api.host("b.test", forward_port=upstream)
        api.npm.break_nginx("open() failed")
        return row

    def test_post_leaves_a_row_that_nginx_does_not_serve(
        self, api: Api, host: dict[str, Any]
    ) -> None:
        body = {**upstream_to(9), "domain_names": ["new.test"]}

        answer = api.call("POST", HOSTS, body)

        assert answer.status_code == 500
        assert answer.json() == {"error": {"code": 500, "message": "Internal Error"}}
        assert api.npm.proxy_hosts()[-1]["meta"] == {}
        assert "Congratulations" in api.visit("new.test").text
        again = api.call("POST", HOSTS, body).json()["error"]["message"]
        assert again == "new.test is already in use"

    def test_put_changes_the_row_only(self, api: Api, host: dict[str, Any]) -> None:
        answer = api.call("PUT", f"{HOSTS}/{host['id']}", {"forward_port": 1})

        assert answer.status_code == 500
        row = api.read(host["id"])
        assert (row["forward_port"], row["meta"]["nginx_online"]) == (1, True)
        assert api.visit("a.test").json()["path"] == "/"
        api.npm.mend_nginx()
        assert api.visit("a.test").json()["path"] == "/"
        api.put(host["id"], forward_port=1)
        assert api.visit("a.test").status_code == 502

    @pytest.mark.parametrize(("method", "tail"), [("POST", "/disable"), ("DELETE", "")])
    def test_a_removed_site_is_served_on(
        self, api: Api, host: dict[str, Any], method: str, tail: str
    ) -> None:
        assert api.call(method, f"{HOSTS}/{host['id']}{tail}").status_code == 500

        rows = [row for row in api.npm.proxy_hosts() if row["id"] == host["id"]]
        assert [row["enabled"] for row in rows] == ([False] if tail else [])
        assert api.visit("a.test").json()["path"] == "/"
        api.npm.mend_nginx()
        api.host("c.test")
        assert "Congratulations" in api.visit("a.test").text

    def test_nothing_else_fails(self, api: Api, host: dict[str, Any]) -> None:
        assert api.call("GET", HOSTS).status_code == 200
        assert api.call("PUT", f"{HOSTS}/2", {"forward_port": 0}).status_code == 400


def test_a_location_that_stops_resolving_breaks_all_but_its_own_removal(api: Api) -> None:
    location = {**upstream_to(9), "forward_host": "inner.test", "path": "/x"}
    bad = api.host("a.test", locations=[location])
    good = api.host("b.test")
    api.npm.unresolvable.add("inner.test")

    answer = api.call("PUT", f"{HOSTS}/{good['id']}", {"forward_port": 10})
    assert answer.status_code == 500
    assert api.call("PUT", f"{HOSTS}/{bad['id']}", {"locations": []}).status_code == 500

    assert api.call("POST", f"{HOSTS}/{bad['id']}/disable").status_code == 200
    assert api.put(good["id"], forward_port=10)["meta"]["nginx_online"] is True


def test_a_name_that_never_resolved_takes_its_own_host_down(api: Api) -> None:
    api.npm.unresolvable.add("inner.test")
    location = {**upstream_to(9), "forward_host": "inner.test", "path": "/x"}

    row = api.host("a.test", locations=[location])

    assert 'host not found in upstream "inner.test"' in row["meta"]["nginx_err"]
    assert api.host("b.test", forward_host="inner.test")["meta"]["nginx_online"] is True


class TestANewCertificate:
    """`certificate_id: "new"` fails here as it does without a certificate authority."""

    def test_post_leaves_a_bare_host(self, api: Api, upstream: int) -> None:
        access = api.npm.add_access_list("team", [{"username": "u", "password": "p"}])
        body = {**upstream_to(upstream), "domain_names": ["a.test"], "access_list_id": access}

        answer = api.call("POST", HOSTS, {**body, **ALL_FLAGS, "certificate_id": "new"})

        assert answer.status_code == 500
        row = api.npm.proxy_hosts()[0]
        assert (row["certificate_id"], flags(row), row["meta"]) == (0, "", {})
        assert api.visit("a.test").status_code == 200

    def test_put_leaves_the_row_and_opens_the_site(self, api: Api, upstream: int) -> None:
        access = api.npm.add_access_list("team", [{"username": "u", "password": "p"}])
        host = api.host("a.test", forward_port=upstream, access_list_id=access)

        answer = api.call("PUT", f"{HOSTS}/{host['id']}", {"certificate_id": "new"})

        assert answer.status_code == 500
        assert api.read(host["id"]) == host
        assert api.visit("a.test").status_code == 200


def test_expand_shows_relations_and_leaks_passwords(api: Api) -> None:
    access = api.npm.add_access_list(
        "team",
        [{"username": "u", "password": "hunter2"}],
        [{"directive": "allow", "address": "10.0.0.0/8"}],
    )
    certificate = api.npm.add_certificate("c", ["a.test"])
    api.host("a.test", access_list_id=access, certificate_id=certificate)

    row = api.call("GET", f"{HOSTS}?expand=owner,certificate,access_list").json()[0]
    assert row["owner"]["id"] == 1
    assert (row["certificate"]["nice_name"], row["certificate"]["meta"]) == ("c", {})
    assert row["access_list"]["name"] == "team"
    assert "items" not in row["access_list"]

    row = api.call("GET", f"{HOSTS}/1?expand=access_list.[clients,items]").json()
    assert row["access_list"]["items"][0]["password"] == "hunter2"
    assert row["access_list"]["clients"][0]["address"] == "10.0.0.0/8"


def test_every_change_is_in_the_audit_log(api: Api) -> None:
    host = api.host("a.test")
    api.put(host["id"], forward_port=10)
    for action in ("disable", "enable"):
        api.call("POST", f"{HOSTS}/{host['id']}/{action}")
    api.call("DELETE", f"{HOSTS}/{host['id']}")

    entries = api.call("GET", "/audit-log?expand=user").json()

    actions = [entry["action"] for entry in entries]
    assert actions == ["deleted", "enabled", "disabled", "updated", "created"]
    assert {entry["object_type"] for entry in entries} == {"proxy-host"}
    assert entries[0]["user"]["email"] == "admin@example.com"
    assert api.call("GET", "/audit-log/1").json()["action"] == "created"
    assert api.call("GET", "/audit-log/99").status_code == 404


def test_writes_are_what_reached_npms_logic(npm: Sandbox) -> None:
    api = Api(npm)
    host = api.host("a.test")
    api.call("PUT", f"{HOSTS}/{host['id']}", {"forward_port": 0})
    api.put(host["id"], forward_port=10)
    api.call("DELETE", f"{HOSTS}/77")

    assert npm.writes == [("POST", HOSTS), ("PUT", f"{HOSTS}/1"), ("DELETE", f"{HOSTS}/77")]
    assert npm.requests == [
        ("POST", "/tokens"),
        ("POST", HOSTS),
        ("GET", f"{HOSTS}/1"),
        ("PUT", f"{HOSTS}/1"),
        ("PUT", f"{HOSTS}/1"),
        ("DELETE", f"{HOSTS}/77"),
    ]


def test_redirection_and_dead_hosts_can_be_made_read_and_deleted(api: Api) -> None:
    redirection = {
        "domain_names": ["r.test"],
        "forward_scheme": "auto",
        "forward_http_code": 308,
        "forward_domain_name": "to.test",
    }
    for path, body in (
        ("/nginx/redirection-hosts", redirection),
        ("/nginx/dead-hosts", {"domain_names": ["d.test"]}),
    ):
        created = api.call("POST", path, body)
        assert created.status_code == 201
        row = api.call("GET", path).json()[0]
        assert row["meta"]["nginx_online"] is True
        assert api.call("GET", f"{path}/{row['id']}").json() == row
    assert api.visit("r.test", "/x").headers["Location"] == "http://to.test"
    assert api.visit("d.test").status_code == 404
    counts = {"proxy": 0, "redirection": 1, "stream": 0, "dead": 1}
    assert api.call("GET", "/reports/hosts").json() == counts
    for path in ("/nginx/redirection-hosts", "/nginx/dead-hosts"):
        assert api.call("DELETE", f"{path}/1").json() is True
        assert api.call("GET", path).json() == []
    assert "Congratulations" in api.visit("d.test").text


def test_a_dead_host_lags_one_update_behind(api: Api) -> None:
    dead = api.npm.add_dead_host(["old.test"])
    path = f"/nginx/dead-hosts/{dead}"

    api.call("PUT", path, {"domain_names": ["new.test"], "meta": {"mine": 1}})

    assert api.call("GET", path).json()["domain_names"] == ["new.test"]
    assert "mine" not in api.call("GET", path).json()["meta"]
    assert api.visit("old.test").status_code == 404
    assert "Congratulations" in api.visit("new.test").text
    api.call("PUT", path, {"domain_names": ["new.test"]})
    assert api.visit("new.test").status_code == 404
