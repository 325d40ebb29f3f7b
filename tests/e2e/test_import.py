"""What somebody made by hand in NPM: imported, adopted, and nothing of it changed.

On the sandbox and, marked `live`, on a real NPM.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxysync.sandbox import Sandbox
from tests.conftest import in_sandbox
from tests.world import BAD, World, domain

COLLECTIONS = (
    "proxy-hosts",
    "redirection-hosts",
    "dead-hosts",
    "streams",
    "access-lists",
    "certificates",
)
MOVING = {"modified_on", "meta", "expires_on"}
"""What a write of any kind changes, or is looked at by itself."""


def add(world: World, collection: str, *domains: str, **fields: Any) -> dict[str, Any]:
    made = world.npm.call(
        "POST", f"/nginx/{collection}", {"domain_names": [domain(d) for d in domains], **fields}
    )
    return dict(made)


def add_list(world: World, name: str, *clients: str, **fields: Any) -> int:
    row = world.npm.call(
        "POST",
        "/nginx/access-lists",
        {
            "name": domain(name),
            "satisfy_any": False,
            "pass_auth": False,
            "items": [{"username": "mum", "password": "not-to-be-seen"}],
            "clients": [{"directive": how, "address": who} for how, who in map(str.split, clients)],
            **fields,
        },
    )
    return int(row["id"])


def disable(world: World, collection: str, row: dict[str, Any]) -> None:
    world.npm.call("POST", f"/nginx/{collection}/{row['id']}/disable")


def add_proxy(world: World, *domains: str, **fields: Any) -> dict[str, Any]:
    """As NPM's page makes it, which always sends locations."""
    return world.npm.add_host(*map(domain, domains), **{"locations": [], **fields})


def add_certificates(world: World) -> tuple[int, list[int]]:
    """One for all names, and two of one name."""
    wild = world.npm.add_certificate(domain("wild"), "*.proxysync-test.example")
    # A real NPM reads no domain from certificates like those of the tests.
    twins = [
        world.npm.add_certificate(domain("twin" if world.npm.sandbox else f"twin-{n}"), domain(n))
        for n in ("first", "second")
    ]
    return wild, twins


def populate(world: World, ports: list[int]) -> None:
    """Some 60 objects of all sorts, as people have them."""
    wild, twins = add_certificates(world)
    family = add_list(world, "family")
    rules = ("allow 192.168.0.0/16", "allow fd00::/8", "deny all")
    lan = add_list(world, "Home & LAN", *rules, satisfy_any=True, pass_auth=True, items=[])
    same = [add_list(world, "same"), add_list(world, "same", "allow 10.0.0.1")]
    tls = {"certificate_id": wild, "ssl_forced": True, "http2_support": True}
    for index in range(20):
        lists = {"access_list_id": (0, lan, *same)[index % 4]}
        add_proxy(world, f"app{index}", port=8000 + index, **tls, block_exploits=True, **lists)
    for index in range(6):
        add_proxy(world, f"plain{index}", forward_host=f"container-{index}", port=80)
    add_proxy(world, "refused", advanced_config=BAD)
    for name, fields in _proxies(family, twins).items():
        add_proxy(world, name, **fields)
    add_proxy(world, "*.apps", "apps", "apps2")
    off = add_proxy(world, "off", access_list_id=family)
    disable(world, "proxy-hosts", off)
    to = {"forward_scheme": "auto", "forward_domain_name": "elsewhere.example.com"}
    add(world, "redirection-hosts", "www.blog", "old", forward_http_code=301, **to, **tls)
    add(world, "redirection-hosts", "path", forward_http_code=308, **to, preserve_path=True)
    secure = {"forward_scheme": "https", "forward_domain_name": "a.example.com:8443/x"}
    redirection = add(world, "redirection-hosts", "away", forward_http_code=302, **secure)
    disable(world, "redirection-hosts", redirection)
    stream = {"forwarding_host": "127.0.0.1", "forwarding_port": 9, "certificate_id": 0}
    protocols: list[dict[str, Any]] = [
        {"tcp_forwarding": True, "udp_forwarding": True},
        {"tcp_forwarding": True},
        {"udp_forwarding": True},
    ]
    for port, fields in zip(ports, protocols, strict=True):
        world.npm.call("POST", "/nginx/streams", {"incoming_port": port, **stream, **fields})
    for index in range(5):
        add(world, "redirection-hosts", f"moved{index}", forward_http_code=301 + index % 2, **to)
    add(world, "dead-hosts", "gone", **tls, hsts_enabled=True, hsts_subdomains=True)
    add(world, "dead-hosts", "parked", advanced_config="add_header X-Parked '$host ${host}';")


def _proxies(family: int, twins: list[int]) -> dict[str, dict[str, Any]]:
    places = [
        {"path": "/api", "forward_scheme": "http", "forward_host": "127.0.0.1", "forward_port": 1},
        {
            "path": "~* \\.(png|jpg)$",
            "forward_scheme": "http",
            "forward_host": "127.0.0.1",
            "forward_port": 2,
            "advanced_config": "proxy_buffering off;\nadd_header X-Path '$uri';",
        },
    ]
    config = "# costs ${much}\n\tset $who  'me';\n\n  add_header X-Who \"$who #1: 'ü'\";\n"
    return {
        "ipv6": {"forward_host": "[fd00::5]", "forward_scheme": "https"},
        "container": {"forward_host": "jellyfin", "allow_websocket_upgrade": True},
        "odd_name": {"forward_host": "my_app.lan", "caching_enabled": True},
        "dollars": {"advanced_config": config},
        "crlf": {"advanced_config": "set $a 1;\r\nset $b 2;\r\n"},
        "places": {"locations": places},
        "closed": {"access_list_id": family},
        "first": {"certificate_id": twins[0], "ssl_forced": True, "hsts_enabled": True},
        "second": {"certificate_id": twins[1], "http2_support": True},
    }


def everything(world: World) -> dict[tuple[str, int, str], Any]:
    """Each field of all that NPM has, without what any write changes."""
    return {
        (collection, row["id"], field): value
        for collection in COLLECTIONS
        for row in world.npm.call("GET", f"/nginx/{collection}")
        for field, value in row.items()
        if field not in MOVING
    }


def changed(world: World, before: dict[tuple[str, int, str], Any]) -> dict[Any, Any]:
    """The fields that differ, as they were and as they are."""
    now = everything(world)
    keys = before.keys() | now.keys()
    return {k: (before.get(k), now.get(k)) for k in keys if before.get(k) != now.get(k)}


def use(world: World, path: Path) -> None:
    """Makes the imported file the one in use; the sandbox's sites are not on port 80."""
    text = path.read_text()
    if world.npm.sandbox is not None:
        text += "settings: {verify: 'off'}\n"
    world.file.write_text(text)


def test_what_was_made_by_hand_is_imported_and_adopted_without_a_change(
    world: World, ports: list[int]
) -> None:
    populate(world, ports)
    before = everything(world)
    path = world.folder / "imported.yaml"
    done = world.call("import", "-o", str(path))
    assert done.code == 0, done.err
    assert "Adopting these changes nothing." in done.err
    assert "Left out" not in done.err
    assert "nginx does not serve" in done.err, "the one that nginx refuses"
    assert changed(world, before) == {}
    assert "not-to-be-seen" not in path.read_text() + done.out + done.err

    use(world, path)
    again = world.call("import")
    assert again.out == path.read_text(), "stdout has what the file has"
    adopted = world.call("adopt", "--all", "--yes")
    assert adopted.code == 0, adopted.out
    assert changed(world, before) == {}
    world.assert_in_sync()
    assert world.call("import").out == path.read_text(), "names stay"


def in_words(world: World) -> dict[Any, Any]:
    """All that NPM serves or is off, by what it claims, with names in place of ids."""
    lists = {
        row["id"]: (row["name"], [(c["directive"], c["address"]) for c in row["clients"]])
        for row in world.npm.call("GET", "/nginx/access-lists?expand=clients,items")
    }
    rows = world.npm.call("GET", "/nginx/certificates")
    certificates = {row["id"]: row["nice_name"] for row in rows}
    ids = {"certificate_id": certificates, "access_list_id": lists}
    return {
        (collection, str(row.get("domain_names") or row["incoming_port"])): {
            field: ids[field].get(value) if field in ids else value
            for field, value in row.items()
            if field not in MOVING | {"id", "created_on", "owner_user_id"}
        }
        for collection in COLLECTIONS[:4]
        for row in world.npm.call("GET", f"/nginx/{collection}")
    } | {("access-lists", str(value)): value for value in lists.values()}


def test_another_npm_is_filled_from_the_file_of_the_first(
    small_world: World, tmp_path_factory: pytest.TempPathFactory, ports: list[int]
) -> None:
    populate(small_world, ports)
    text = yaml.safe_load(small_world.call("import").out)
    for entry in text["access_lists"].values():
        if "users" in entry:
            entry["users"] = dict.fromkeys(entry["users"], "${MUM_PASSWORD}")
    text["settings"] = {"verify": "off", "validation": {"mode": "off"}}
    with Sandbox() as sandbox:
        other = World(tmp_path_factory.mktemp("other"), in_sandbox(sandbox))
        add_certificates(other)
        other.file.write_text(yaml.safe_dump(text))
        other.env["PROXYSYNC_SECRET_MUM_PASSWORD"] = "not-to-be-seen"
        done = other.call("apply", "--yes")
        assert [line for line in done.out.splitlines() if line.startswith("failed")] == [
            line for line in done.out.splitlines() if "create refused: nginx refuses it" in line
        ]
        was, now = in_words(small_world), in_words(other)
    assert {key for key in was if key not in now} == {("proxy-hosts", str([domain("refused")]))}
    assert {k: v for k, v in now.items() if v != was.get(k)} == {}


def test_what_a_person_would_not_write_is_left_out(small_world: World) -> None:
    secure = {"ssl_forced": True, "http2_support": True, "block_exploits": True}
    wild = small_world.npm.add_certificate(domain("wild"), "*.proxysync-test.example")
    for index in range(4):
        small_world.npm.add_host(domain(f"app{index}"), certificate_id=wild, **secure)
    small_world.npm.add_host(domain("plain"))
    read = yaml.safe_load(small_world.call("import").out)
    assert read["defaults"] == {
        "certificate": domain("wild"),
        "force_ssl": True,
        "http2": True,
        "block_exploits": True,
    }
    upstream = "http://127.0.0.1:9"
    assert read["proxies"]["app1"] == {"domains": [domain("app1")], "upstream": upstream}
    assert read["proxies"]["plain"] == {
        "domains": [domain("plain")],
        "upstream": upstream,
        "certificate": "none",
        "block_exploits": False,
    }


def test_what_cannot_be_expressed_is_told_and_the_rest_is_taken(small_world: World) -> None:
    npm = small_world.npm
    npm.add_host(domain("good"))
    npm.add_host(domain("path"), forward_host="10.0.0.5/sub")
    to = {"forward_scheme": "auto", "forward_domain_name": "elsewhere.example.com"}
    add(small_world, "redirection-hosts", "old", forward_http_code=300, **to)
    done = small_world.call("import", "--format", "json")
    assert [entry["name"] for entry in done.json["entries"]] == ["good"]
    problems = {entry["name"]: entry["problems"][0] for entry in done.json["left_out"]}
    assert "has a path" in problems["path"]
    assert "must be 301, 302, 303, 307 or 308" in problems["old"]
    assert done.err.count("Left out: ") == 2


def test_two_lists_of_one_name_are_told_apart(small_world: World) -> None:
    first, second = (add_list(small_world, "same") for _ in range(2))
    small_world.npm.add_host(domain("closed"), access_list_id=second)
    done = small_world.call("import", "-o", str(small_world.file))
    assert done.code == 0, done.err
    assert "Adopting these changes nothing." in done.err
    text = yaml.safe_load(small_world.file.read_text())
    lists = text["access_lists"]
    assert [one["name"] for one in lists.values()] == [domain("same")] * 2
    assert text["proxies"]["closed"]["access_list"] == list(lists)[1]
    assert small_world.call("adopt", "--all", "--yes").code == 0
    small_world.assert_in_sync()
    (closed,) = small_world.npm.hosts()
    assert closed["access_list_id"] == second
    assert first != second


def test_a_404_host_is_taken_over_without_a_write(small_world: World) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    add(small_world, "dead-hosts", "gone")
    path = small_world.folder / "imported.yaml"
    small_world.call("import", "-o", str(path))
    use(small_world, path)
    adopted = small_world.call("adopt", "--all", "--yes")
    assert adopted.code == 0, adopted.out
    assert "adopt gone" in adopted.out
    writes = [path for method, path in sandbox.requests if method == "PUT"]
    assert writes == [], "NPM keeps no marker of it, and may lose its certificate in nginx"
    small_world.assert_in_sync()


def test_a_spelling_that_the_file_does_not_keep_is_told_before(small_world: World) -> None:
    small_world.npm.add_host(domain("upper"), forward_host="NAS.lan")
    done = small_world.call("import")
    assert "Adopting these would change:" in done.err
    assert "upstream: http://NAS.lan:9 → http://nas.lan:9" in done.err


def test_a_file_that_is_there_is_kept(small_world: World) -> None:
    small_world.npm.add_host(domain("one"))
    path = small_world.folder / "mine.yaml"
    path.write_text("precious")
    refused = small_world.call("import", "-o", str(path))
    assert (refused.code, path.read_text()) == (1, "precious")
    assert "--force" in refused.err
    assert small_world.call("import", "-o", str(path), "--force").code == 0
    assert "one:" in path.read_text()
    assert small_world.call("import", "-o", str(small_world.folder / "no" / "dir")).code == 1
    assert sorted(p.name for p in small_world.folder.iterdir() if "tmp" in p.name) == []


def test_only_what_is_named_is_imported(small_world: World) -> None:
    small_world.npm.add_host(domain("one"))
    add(small_world, "dead-hosts", "gone")
    assert "\n  one:" not in small_world.call("import", "not_found_host/").out
    assert "\n  gone:" not in small_world.call("import", domain("one")).out
    assert small_world.call("import", "nowhere.example").code == 1
    assert small_world.call("import", "--all", domain("one")).code == 1
