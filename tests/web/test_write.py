"""The file is edited over HTTP: all of it or nothing, and only by whom it is allowed."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from proxysync.app.vitals import Vitals
from proxysync.config.api_settings import ApiSettings
from proxysync.config.environment import read_environment
from proxysync.demo.services import DemoService
from proxysync.web.context import Context
from proxysync.web.endpoints.writing import why_not
from tests.web.conftest import TOKEN, Api, api_of
from tests.world import World, domain, eventually, sooner_than

MAY_WRITE = {"PROXYSYNC_API_TOKEN": TOKEN, "PROXYSYNC_API_WRITE": "1"}


def entry(name: str, upstream: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "domains": [domain(name)], "upstream": upstream, **fields}


def test_an_entry_is_made_changed_and_removed(house: World, services: list[DemoService]) -> None:
    commented = house.file.read_text().replace("  one:", "  # the first\n  one:")
    house.file.write_text(commented)
    with api_of(house, **MAY_WRITE) as api:
        eventually(lambda: "proxy.blocked" in house.event_names())
        new = entry("three", services[0].url, websockets=True)
        made = api.ask("POST", "/api/proxies?wait=30s", new)
        assert made.status_code == 201, made.text
        assert made.headers["Location"] == "/api/proxies/three"
        told = made.json()
        assert (told["written"], told["validation"]["ok"]) == (True, True)
        assert told["apply"]["outcome"] == "applied", told["apply"]
        assert "proxy.created" in [event["event"] for event in told["apply"]["events"]]
        assert house.npm.host("three")["domain_names"] == [domain("three")]
        assert commented.splitlines()[0] in house.file.read_text()
        assert "# the first" in house.file.read_text()

        found = api.ask("GET", "/api/proxies/three")
        tag = found.headers["ETag"]
        assert f'"{found.json()["fingerprint"]}"' == tag == made.headers["ETag"]
        assert api.get("/api/proxies")["fingerprint"] == found.json()["fingerprint"]
        fields = found.json()["definition"]
        assert {**fields, "name": "three"} == new

        assert api.ask("POST", "/api/proxies", new).status_code == 409
        assert api.ask("PUT", "/api/proxies/nobody", fields).status_code == 404
        for method in ("PUT", "DELETE"):
            near = api.ask(method, "/api/proxies/thre", fields if method == "PUT" else None)
            assert near.status_code == 404
            assert near.json()["error"]["hint"] == "did you mean three?"
        change = {**fields, "domains": [domain("other")]}
        del change["websockets"]
        stale = {"If-Match": '"another"'}
        assert api.ask("PUT", "/api/proxies/three", change, stale).status_code == 412
        assert api.ask("DELETE", "/api/proxies/three", headers=stale).status_code == 412
        nothing = {"If-Match": '""'}
        assert api.ask("DELETE", "/api/proxies/three", headers=nothing).status_code == 400
        put = api.ask("PUT", "/api/proxies/three?wait=30s", change, {"If-Match": tag})
        assert put.status_code == 200, put.text
        assert put.json()["apply"]["outcome"] == "applied"
        assert house.npm.host("three")["domain_names"] == [domain("other")]
        assert "websockets" not in house.file.read_text()
        again = api.ask("PUT", "/api/proxies/three?wait=1s", change)
        assert again.json()["apply"]["outcome"] == "unchanged"

        gone = api.ask("DELETE", "/api/proxies/three?wait=30s")
        assert (gone.status_code, gone.json()["apply"]["outcome"]) == (200, "applied"), gone.text
        assert house.file.read_text() == commented


def test_what_does_not_pass_is_told_and_changes_nothing(
    house: World, services: list[DemoService]
) -> None:
    with api_of(house, **MAY_WRITE) as api:
        before = house.file.read_bytes()
        good = entry("three", services[0].url)
        for body, path in (
            ({**good, "upstream": "http://127.0.0.1:9"}, None),
            ({**good, "domains": [domain("one")]}, "proxies.three.domains[0]"),
            ({**good, "access_list": None}, "proxies.three.access_list"),
            ({**good, "name": "a b"}, "a b"),
            ({"upstream": "ftp://x"}, "upstream"),
        ):
            found = api.ask("POST", "/api/proxies?wait=5s", body)
            assert found.status_code == 422, found.text
            told = found.json()
            assert told["error"]["message"]
            if path is None:
                assert "Check if the service is running" in json.dumps(told["results"])
            else:
                assert {p["path"]: p["line"] for p in told["problems"]}[path] == 0
        for query in ("wait=x", "wait=1d", "force=1"):
            assert api.ask("POST", f"/api/proxies?{query}", good).status_code == 400
        other = {**good, "name": "two"}
        assert api.ask("PUT", "/api/proxies/one", other).status_code == 400
        nobody = Api(api.url)
        foreign = {"Origin": "http://evil.example.com"}
        for method, path in (("POST", ""), ("PUT", "/one"), ("DELETE", "/one")):
            assert nobody.ask(method, f"/api/proxies{path}", good).status_code == 401
            for header in ({"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, foreign):
                refused = api.ask(method, f"/api/proxies{path}", good, header)
                assert refused.status_code == 403, header
        for path in ("/api/proxies", "/api/proxies/one", "/api/events"):
            for method in ("GET", "OPTIONS"):
                shown = api.ask(method, path, headers=foreign)
                assert not [name for name in shown.headers if name.lower().startswith("access-")]
                assert shown.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert house.file.read_bytes() == before

        names = [f"many-{number}" for number in range(6)]
        with ThreadPoolExecutor(6) as pool:
            made = pool.map(
                lambda name: api.ask("POST", "/api/proxies", entry(name, services[0].url)), names
            )
        assert [answer.status_code for answer in made] == [201] * 6
        listed = {p["name"] for p in api.get("/api/proxies")["proxies"]}
        assert listed >= set(names)

        for name in ("all", "validate", "a..b"):
            odd = api.ask("POST", "/api/proxies", {**good, "name": name})
            assert (odd.status_code, odd.headers["Location"]) == (201, f"/api/proxies/{name}")
            assert api.get(f"/api/resources/proxy/{name}")["name"] == name
            assert api.ask("DELETE", f"/api/proxies/{name}").status_code == 200

        house.file.write_text("proxies: [")
        for method, path, status in (
            ("POST", "/api/proxies", 409),
            ("PUT", "/api/proxies/three", 409),
            ("DELETE", "/api/proxies/one", 409),
            ("POST", "/api/proxies/validate", 409),
            ("GET", "/api/plan", 409),
            ("GET", "/readyz", 503),
            ("GET", "/api/proxies", 200),
            ("GET", "/api/proxies/one", 200),
            ("GET", "/api/health", 200),
            ("GET", "/metrics", 200),
        ):
            sent = good if method in ("POST", "PUT") else None
            assert api.ask(method, path, sent).status_code == status, (method, path)
        assert house.file.read_text() == "proxies: ["
        house.file.write_bytes(before)


SLOW_TO_READ = """
from proxysync.daemon import loop
loop.DEBOUNCE = 1.5
"""
"""Has the daemon take in at once whatever edits come within that time."""


def test_who_waits_hears_of_an_edit_though_others_come_right_after(
    house: World, services: list[DemoService]
) -> None:
    with api_of(house, SLOW_TO_READ, **MAY_WRITE) as api, ThreadPoolExecutor(4) as pool:
        eventually(lambda: "proxy.blocked" in house.event_names())

        def put(name: str, **fields: Any) -> str:
            body = {"domains": [domain(name)], "upstream": services[0].url, **fields}
            own = Api(api.url, TOKEN)
            method, path = ("PUT", f"/{name}") if name in ("one", "two") else ("POST", "")
            body |= {"name": name}
            answer = own.ask(method, f"/api/proxies{path}?wait=20s", body)
            assert answer.status_code in (200, 201), answer.text
            return str(answer.json()["apply"]["outcome"])

        assert put("one") in ("applied", "unchanged")
        with sooner_than(15):
            new = [pool.submit(put, name) for name in ("three", "four")]
            first = pool.submit(put, "one", websockets=True)
            eventually(lambda: "websockets" in house.file.read_text())
            assert put("one") == "applied", "as it was, so that the daemon never sees a change"
            assert first.result() == "replaced"
            assert [each.result() for each in new] == ["applied", "applied"]


def test_an_edit_that_is_still_checked_at_the_end_is_given_up_and_said_so(house: World) -> None:
    before = house.file.read_bytes()
    with closing(socket.create_server(("127.0.0.1", 0))) as silent, ThreadPoolExecutor(1) as pool:
        with api_of(house, **MAY_WRITE) as api:
            eventually(lambda: "proxy.blocked" in house.event_names())
            port = silent.getsockname()[1]
            late = pool.submit(
                api.ask, "POST", "/api/proxies?wait=60s", entry("late", f"http://127.0.0.1:{port}")
            )
            silent.accept()[0].close()  # the TCP step
            asked = silent.accept()[0]
            begin = time.monotonic()
        asked.close()
        assert time.monotonic() - begin < 5
        assert late.result().status_code == 503, late.result().text
        assert "nothing was written" in late.result().json()["error"]["message"]
    assert house.file.read_bytes() == before


def test_what_stands_in_the_way_for_long_is_told_to_each_who_waits(
    house: World, services: list[DemoService]
) -> None:
    house.npm.add_host(domain("taken"))
    with api_of(house, **MAY_WRITE) as api:
        new = entry("taken", services[0].url)
        for path, body in (("", new), ("/taken", {**new, "websockets": True})):
            answer = api.ask("PUT" if path else "POST", f"/api/proxies{path}?wait=20s", body)
            told = answer.json()["apply"]
            assert told["outcome"] == "failed"
            assert [event["event"] for event in told["events"]] == ["proxy.conflict"]


def test_nobody_writes_unless_it_is_allowed(house: World, tmp_path: Path) -> None:
    before = house.file.read_bytes()
    with api_of(house, PROXYSYNC_API_TOKEN=TOKEN) as api:
        for method, path in (("POST", ""), ("PUT", "/one"), ("DELETE", "/one")):
            found = api.ask(method, f"/api/proxies{path}", entry("one", "http://10.0.0.5"))
            assert found.status_code == 403
            assert "PROXYSYNC_API_WRITE=1" in found.json()["error"]["hint"]
    assert house.file.read_bytes() == before


def test_a_file_from_git_is_edited_there(house: World) -> None:
    url = "https://git.example.com/infra.git"
    env = read_environment({**house.env, "PROXYSYNC_GIT_URL": url}, overrides={})
    for settings in (ApiSettings("127.0.0.1", 0), ApiSettings("127.0.0.1", 0, write=True)):
        with closing(Context(settings, env, house.env, Vitals())) as context:
            refused = why_not(context)
        assert refused is not None
        assert (refused.status, url in refused.message) == (409, True)
        assert "push" in (refused.hint or "")
