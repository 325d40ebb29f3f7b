"""An entry is checked on somebody's word, without any trace and without telling secrets."""

import json
from typing import Any

import pytest

from proxysync.demo.services import DemoService
from proxysync.probe.reach import is_local
from proxysync.web.body import BodyError, parse_object
from tests.web.conftest import Api, api_of
from tests.web.test_stream import messages
from tests.world import World, domain, eventually, sooner_than

PATH = "/api/proxies/validate"
SECRET = "never-to-be-shown-anywhere"
VARIABLES = {
    "PROXYSYNC_VAR_where": "127.0.0.1",
    "PROXYSYNC_SECRET_word": SECRET,
    "PROXYSYNC_NPM_NOTE": "private-setting",
}


def entry(upstream: str, **fields: Any) -> dict[str, Any]:
    return {"domains": [domain("new")], "upstream": upstream, **fields}


def steps(api: Api, body: Any) -> dict[str, str]:
    answer = api.ask("POST", PATH, body)
    assert answer.status_code == 200, answer.text
    [result] = answer.json()["results"]
    return {step["name"]: step["status"] for step in result["steps"]}


def test_an_entry_is_checked_as_if_it_stood_in_the_file(
    house: World, services: list[DemoService]
) -> None:
    with api_of(house, PROXYSYNC_API_VALIDATE_LOCAL="1", **VARIABLES) as api:
        eventually(lambda: "proxy.blocked" in house.event_names())
        before = house.file.read_bytes()
        good = entry(services[0].url)
        assert set(steps(api, good).values()) == {"pass"}
        dead = api.ask("POST", PATH, entry("http://127.0.0.1:9", name="mine")).json()
        assert (dead["results"][0]["name"], dead["results"][0]["blocks"]) == ("mine", True)
        assert "Check if the service is running" in json.dumps(dead)
        port = services[0].url.rpartition(":")[2]
        assert steps(api, entry(f"http://${{where}}:{port}"))["http"] == "pass"

        with api.ask("POST", PATH, good, {"Accept": "text/event-stream"}, stream=True) as answer:
            told = list(messages(answer))
        assert [m["data"].get("name") for m in told[:-1]] == ["syntax", "dns", "tcp", "http"]
        assert told[-1]["event"] == "result"
        assert told[-1]["data"]["results"][0]["ok"]

        for body, path in (
            ({**good, "domains": [domain("one")]}, "proxies.new.domains[0]"),
            ({**good, "colour": "blue"}, "proxies.new.colour"),
            ({**good, "access_list": None}, "proxies.new.access_list"),
            ({**good, "domains": {"a": [{}, [None]]}}, "proxies.new.domains"),
            ({**good, "<<": {"x": 1}}, 'proxies.new["<<"]'),
            ({**good, "name": "a b"}, "name"),
            ({**good, "upstream": "${nobody}"}, "proxies.new.upstream"),
            ({**good, "upstream": "http://${word}"}, "proxies.new.upstream"),
            ({}, "domains"),
        ):
            named = {"name": "new"} if path.startswith("proxies.new") else {}
            found = api.ask("POST", PATH, {**named, **body})
            assert found.status_code == 200, found.text
            problems = {p["path"]: p["line"] for p in found.json()["problems"]}
            assert problems.get(path) == 0, found.text
            assert SECRET not in found.text
        word = {**good, "advanced_config": 'add_header X "${word}";'}
        assert steps(api, word)["http"] == "pass"
        assert house.file.read_bytes() == before
        assert house.event_names(name="mine") == []


def test_what_is_no_entry_is_refused_in_one_shape(house: World) -> None:
    with api_of(house) as api:
        json_ = {"Content-Type": "application/json"}
        for body, status in (
            (b"", 400),
            (b"[]", 400),
            (b"{", 400),
            (b"\xff", 400),
            (b'{"a": NaN}', 400),
            (b'{"a": 1e999}', 400),
            (b'{"a": ' + b"1" * 5000 + b"}", 400),
            (b'{"a": 1, "a": 2}', 400),
            (b'{"a": "\\ud800"}', 400),
            (b'{"name": 5}', 400),
            (b'{"a":' + b"[" * 100_000, 400),
            (b'{"a":' + b"[" * 30 + b"]" * 30 + b"}", 400),
            (b'{"a": "' + b"x" * 300_000 + b'"}', 413),
        ):
            found = api.ask("POST", PATH, data=body, headers=json_)
            assert found.status_code == status, (body[:40], found.text)
            assert found.json()["error"]["message"]
        assert api.ask("POST", PATH, data=b"{}", headers={}).status_code == 415
        chunks = (b" " * 1000 for _ in range(300))
        assert api.ask("POST", PATH, data=chunks, headers=json_).status_code == 413
        assert api.ask("POST", f"{PATH}?x=1", {}).status_code == 400
        foreign = {"Origin": "http://evil.example.com", "Sec-Fetch-Site": "cross-site"}
        assert api.ask("POST", PATH, {}, foreign).status_code == 403

        for host in ("127.0.0.1:9", "localhost:9", "[::1]:9", "0.0.0.0:9", "169.254.169.254"):
            found = api.ask("POST", PATH, entry(f"http://{host}"))
            told = json.dumps(found.json())
            assert "PROXYSYNC_API_VALIDATE_LOCAL=1" in told, told
        while (found := api.ask("POST", PATH, entry("http://127.0.0.1"))).status_code == 200:
            pass
        assert found.status_code == 429
        assert int(found.headers["Retry-After"]) > 0


def test_a_body_of_many_keys_holds_nobody_up() -> None:
    keys = ",".join(f'"{number}":0' for number in range(20_000))
    with sooner_than(5), pytest.raises(BodyError, match='"19999" twice'):
        parse_object(f'{{{keys},"19999":0}}'.encode())


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.1.2.3", True),
        ("::1", True),
        ("::", True),
        ("0.1.2.3", True),
        ("255.255.255.255", True),
        ("169.254.1.1", True),
        ("fe80::1%eth0", True),
        ("fd00:ec2::254", True),
        ("100.100.100.200", True),
        ("::ffff:127.0.0.1", True),
        ("::7f00:1", True),
        ("64:ff9b::7f00:1", True),
        ("64:ff9b::a9fe:a9fe", True),
        ("2002:7f00:1::", True),
        ("224.0.0.1", True),
        ("ff02::1", True),
        ("10.0.0.5", False),
        ("192.168.1.2", False),
        ("fd00::5", False),
        ("93.184.216.34", False),
        ("2606:4700::1", False),
        ("64:ff9b::a00:5", False),
    ],
)
def test_local_addresses_are_known_in_every_disguise(address: str, local: bool) -> None:
    assert is_local(address) is local
