"""Who may ask, and what a daemon with an API refuses to begin with."""

from pathlib import Path

import pytest

from tests.web.conftest import TOKEN, Api, api_of
from tests.world import World


def test_only_who_calls_us_by_our_name_is_answered(api: Api) -> None:
    for host in ("127.0.0.1", "localhost:8090", "[::1]", "192.168.1.2:8090"):
        assert api.ask("GET", "/api/proxies", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example.com", "localhost.evil.example.com", "", "a b", "[::1"):
        refused = api.ask("GET", "/healthz", headers={"Host": host})
        assert refused.status_code in (400, 421), host
    answer = api.ask("GET", "/api/proxies")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "server" not in answer.headers
    same = api.ask("GET", "/api/history", headers={})
    again = api.ask("GET", "/api/history", headers={"If-None-Match": same.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path, status in (
        ("/api/proxies/none", 404),
        ("/api/resources/none", 404),
        ("/api/nothing", 404),
        ("/api/events?limit=0", 400),
        ("/api/events?limit=99999999999999999999999", 400),
        ("/api/events?severity=loud", 400),
        ("/api/events?kind=foo", 400),
        ("/api/resources/foo/one/health", 404),
        ("/api/events?since=never", 400),
        ("/api/events?sevrity=warn", 400),
        ("/api/history/0", 404),
        ("/api/history/x", 404),
    ):
        refused = api.ask("GET", path)
        assert refused.status_code == status, path
        assert refused.json()["error"]["message"], path
    assert api.ask("DELETE", "/api/plan").status_code == 405
    for path in ("/api/proxies/", "//api/proxies", "/static/main.js/", "/static/..%2fapi/plan"):
        assert api.ask("GET", path, allow_redirects=False).status_code == 404, path
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert api.ask("GET", "/api/about", headers={**upgrade, **key}).status_code == 200
    foreign = api.ask("POST", "/api/proxies/validate", {}, {"Origin": "http://["})
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "origin.foreign")


def test_a_token_is_wanted_everywhere_but_for_liveness(house: World) -> None:
    with api_of(house, PROXYSYNC_API_TOKEN=TOKEN, PROXYSYNC_API_HOSTS="sync.example.com") as api:
        assert api.ask("GET", "/api/proxies").status_code == 200
        assert api.ask("GET", "/api/proxies", headers={"Host": "sync.example.com"}).ok
        for given in ("", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ä".encode()):
            refused = api.ask("GET", "/api/proxies", headers={"Authorization": given})  # type: ignore[dict-item]
            assert refused.status_code == 401, given
            assert TOKEN not in refused.text
        nobody = Api(api.url)
        assert nobody.get("/healthz")["status"] == "ok"
        for path in ("/api/events", "/api/nothing", "/healthz/", "/%68ealthz/../api/events"):
            assert nobody.ask("GET", path).status_code in (401, 404), path
    assert TOKEN not in (house.folder / "daemon.log").read_text()


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"PROXYSYNC_LISTEN": "0.0.0.0:0"}, "PROXYSYNC_API_TOKEN_FILE"),
        ({"PROXYSYNC_LISTEN": ":0"}, "PROXYSYNC_API_TOKEN_FILE"),
        ({"PROXYSYNC_LISTEN": "[::]:0"}, "PROXYSYNC_API_TOKEN_FILE"),
        ({"PROXYSYNC_LISTEN": "127.0.0.1:0", "PROXYSYNC_API_WRITE": "1"}, "TOKEN"),
        ({"PROXYSYNC_LISTEN": "127.0.0.1:0", "PROXYSYNC_API_TOKEN": "short"}, "16"),
        ({"PROXYSYNC_LISTEN": "127.0.0.1:99999"}, "65535"),
        ({"PROXYSYNC_LISTEN": "::1:80"}, "brackets"),
        ({"PROXYSYNC_LISTEN": "nas:80"}, "no address"),
        ({"PROXYSYNC_LISTEN": "203.0.113.1:80", "PROXYSYNC_API_TOKEN": TOKEN}, "cannot listen"),
    ],
)
def test_what_cannot_be_meant_keeps_the_daemon_from_starting(
    house: World, env: dict[str, str], said: str
) -> None:
    done = house.run("run", env=env)
    assert done.code == 1
    assert said in done.err
    assert "hint: " in done.err
    assert house.call("status", env=env).code == 0, "a command that does not listen goes on"


def test_token_may_be_a_credential_and_where_all_listens_is_told(
    house: World, tmp_path: Path
) -> None:
    (tmp_path / "api_token").write_text(f"{TOKEN}\n")
    house.write({"one": {"note": "${api_token}"}})
    given = {"PROXYSYNC_LISTEN": ":0", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    with api_of(house, **given) as api:
        assert Api(api.url, TOKEN).get("/api/proxies")
        assert Api(api.url).ask("GET", "/api/proxies").status_code == 401
        [told] = [e for e in house.events() if e["event"] == "daemon.listening"]
        assert told["data"]["address"].startswith("http://127.0.0.1:")
        assert "every other address of this machine" in told["message"]
        [invalid] = [e for e in house.events() if e["event"] == "config.invalid"]
        assert "needs the variable api_token, which was not handed over" in invalid["message"]


def test_token_may_come_from_a_file_and_a_taken_port_is_told(house: World, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with api_of(house, PROXYSYNC_API_TOKEN_FILE=str(file)) as api:
        assert Api(api.url, TOKEN).get("/api/proxies")
        assert Api(api.url).ask("GET", "/api/proxies").status_code == 401
        port = api.url.rpartition(":")[2]
        other = {
            "PROXYSYNC_LISTEN": f"127.0.0.1:{port}",
            "PROXYSYNC_STATE_DIR": str(tmp_path / "b"),
        }
        done = house.run("run", env=other)
        assert done.code == 1
        assert "cannot listen" in done.err
