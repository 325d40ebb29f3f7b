"""What the daemon has watched, and the names without which nginx does not start."""

from datetime import timedelta
from typing import Any

import pytest

from proxysync.config.load import load_text
from proxysync.daemon import monitoring
from proxysync.daemon.monitoring import Monitoring, names_at_start, npm_probe, targets
from proxysync.health import latent
from proxysync.health.monitor import Monitor
from proxysync.health.target import Target
from proxysync.kinds.proxy import PROXY
from proxysync.kinds.stream import STREAM
from proxysync.model import Applied, Live, Marker, Snapshot, clock
from proxysync.npm.client import NpmClient
from proxysync.npm.session import Session
from proxysync.npm.transport import Transport
from proxysync.sandbox import Sandbox
from proxysync.store.events import EventLog
from proxysync.store.health import HealthStore
from tests.keys import key
from tests.servers import NameServer
from tests.world import eventually


def live(npm_id: int, *hosts: str, ours: bool = False, enabled: bool = True) -> Live:
    locations = [{"path": f"/{n}", "forward_host": host} for n, host in enumerate(hosts)]
    fields = PROXY.complete(
        {
            "domain_names": [f"h{npm_id}.example"],
            "forward_host": "main.example",
            "locations": locations,
            "enabled": enabled,
        }
    )
    return Live("proxy", npm_id, fields, Marker(f"h{npm_id}", "default") if ours else None)


def applied(name: str, **fields: Any) -> Applied:
    row = {"forward_host": "10.0.0.5", "forward_port": 80, **fields}
    return Applied(key(name), 1, PROXY.complete({"domain_names": [f"{name}.example"], **row}))


def watched(text: str, *rows: Applied) -> dict[str, Target]:
    config = load_text(f"version: 1\n{text}\n", "proxies.yaml", {})
    return {target.key.name: target for target in targets(config, rows)}


def stream(npm_id: int, host: str, **fields: Any) -> Live:
    row = {"incoming_port": 25, "forwarding_host": host, "tcp_forwarding": True, **fields}
    return Live("stream", npm_id, STREAM.complete(row))


def entry(name: str, more: str = "") -> str:
    return f"  {name}: {{domains: [{name}.example], upstream: 'http://10.0.0.5:80'{more}}}\n"


def test_names_of_locations_and_streams_count_foreign_ones_too_and_main_ones_do_not() -> None:
    snapshot = Snapshot(
        (
            live(1, "nas.lan", "10.0.0.1", "NAS.lan/files", "$backend"),
            live(2, "nas.lan"),
            live(3, "gone.lan", enabled=False),
            stream(1, "mail.lan"),
            stream(2, "off.lan", enabled=False),
            stream(3, "unused.lan", tcp_forwarding=False),
            stream(4, "$backend"),
        ),
    )
    assert names_at_start(snapshot) == {
        "nas.lan": ["proxy host #1 (h1.example)", "proxy host #2 (h2.example)"],
        "10.0.0.1": ["proxy host #1 (h1.example)"],
        "mail.lan": ["stream #1 (tcp/25)"],
    }


def test_a_bare_name_of_a_foreign_host_may_be_a_container_and_is_left_alone() -> None:
    hosts = (live(1, "jellyfin"), live(2, "nas", ours=True), stream(1, "mail"))
    assert list(names_at_start(Snapshot(hosts))) == ["nas"]


def test_managed_enabled_proxies_with_health_are_watched_as_they_are_live() -> None:
    text = "proxies:\n" + entry("live") + entry("new") + entry("off", ", health: off")
    text += entry("disabled", ", enabled: false")
    rows = [applied(n, forward_port=8096) for n in ("live", "off", "disabled", "left")]
    found = watched(text, *rows)
    assert list(found) == ["live"]
    assert found["live"].probe.upstream.port == 8096
    assert found["live"].probe.host_header == "live.example"


def test_a_host_that_npm_has_not_confirmed_is_not_watched_yet() -> None:
    row = Applied(key("new"), 1, {}, unconfirmed=True)
    assert watched("proxies:\n" + entry("new"), row) == {}


def test_what_is_live_though_the_file_asks_for_it_no_more_is_watched_as_it_said_last(
    sandbox: Sandbox, store: HealthStore, events: EventLog
) -> None:
    npm = NpmClient(Session(Transport(sandbox.url), "admin@example.com", "changeme"))
    monitor = Monitor(store, events)
    watcher = Monitoring(npm, monitor)
    rows = [applied(name) for name in ("a", "b", "c", "d")]
    own = ", health: {path: /up}"

    def follow(text: str, *rows: Applied) -> dict[str, str]:
        config = load_text(f"settings: {{verify: off}}\nproxies:\n{text}", "proxies.yaml", {})
        watcher.follow(config, rows)
        targets = monitor._targets.values()
        return {one.key.name: one.probe.path for one in targets if isinstance(one, Target)}

    whole = entry("a") + entry("b", own) + entry("c", own) + entry("d", ", health: off")
    everything = {"a": "/", "b": "/up", "c": "/up"}
    assert follow(whole, *rows) == everything
    assert follow(entry("a") + entry("b", f"{own}, enabled: false"), *rows) == everything
    off = applied("b", enabled=False)
    assert follow(entry("a") + entry("b", f"{own}, enabled: false"), rows[0], off) == {"a": "/"}


def test_a_target_is_checked_as_the_file_says() -> None:
    text = (
        "settings: {health: {interval: 1m, failure_threshold: 3}, stale_threshold_days: 2,"
        " validation: {mode: off}}\nproxies:\n"
        + entry("a", ", health: {path: /up, success_threshold: 2}, validation: {skip: [http]}")
        + entry("b", ", validation: {skip: [tcp, http]}")
    )
    found = watched(text, applied("a"), applied("b"))
    assert list(found) == ["a"]
    target = found["a"]
    assert (target.interval, target.probe.path) == (60.0, "/up")
    assert target.probe.skip == {"http"}
    rules = target.rules
    assert (rules.failure_threshold, rules.success_threshold) == (3, 2)
    assert rules.stale_after == 2 * 86400


@pytest.mark.parametrize(
    ("url", "upstream"),
    [
        ("http://10.0.0.2:81", "http://10.0.0.2:81"),
        ("https://npm.example", "https://npm.example:443"),
        ("http://[fd00::2]", "http://[fd00::2]:80"),
    ],
)
def test_npm_itself_is_asked_at_its_admin_port(url: str, upstream: str) -> None:
    assert str(npm_probe(url).upstream) == upstream


def test_a_name_that_is_gone_is_said_once_until_it_resolves_again(
    sandbox: Sandbox,
    store: HealthStore,
    events: EventLog,
    name_server: NameServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latent, "SECOND_TRY", 0.0)
    monkeypatch.setattr(monitoring, "UNRESOLVED_RECHECK", 0.0)
    monkeypatch.setattr(monitoring, "DAILY", 0.0)
    npm = NpmClient(Session(Transport(sandbox.url), "admin@example.com", "changeme"))
    item = {"path": "/a", "forward_host": "nas.lan", "forward_port": 80}
    fields = PROXY.complete(
        {"domain_names": ["a.example"], "forward_host": "10.0.0.1", "locations": [item]}
    )
    npm.create(PROXY, fields, Marker("other", "another instance"))
    config = load_text(
        f"settings: {{validation: {{resolver: '{name_server.address}'}}}}\nproxies:\n" + entry("a"),
        "proxies.yaml",
        {},
    )
    with Monitor(store, events) as monitor:
        watcher = Monitoring(npm, monitor)

        def inspect() -> None:
            npm.snapshot()
            watcher.inspect(config)
            eventually(lambda: not watcher._busy)

        inspect()
        eventually(lambda: list(store.alerts.active()) == ["latent nas.lan"])
        inspect()
        name_server.records["nas.lan", "A"] = ["10.0.0.7"]
        inspect()
        eventually(lambda: store.alerts.active() == {})
        del name_server.records["nas.lan", "A"]
        inspect()
        eventually(lambda: list(store.alerts.active()) == ["latent nas.lan"])
    rows = store._database.query("SELECT event FROM event_log ORDER BY id")
    assert [row["event"] for row in rows] == [
        "npm.latent_outage",
        "npm.latent_outage_over",
        "npm.latent_outage",
    ]


def test_what_comes_into_use_is_looked_at_without_waiting_for_the_next_day(
    sandbox: Sandbox,
    store: HealthStore,
    events: EventLog,
    name_server: NameServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latent, "SECOND_TRY", 0.0)
    npm = NpmClient(Session(Transport(sandbox.url), "admin@example.com", "changeme"))
    settings = f"settings: {{validation: {{resolver: '{name_server.address}'}}}}\n"
    config = load_text(f"{settings}proxies:\n" + entry("a"), "proxies.yaml", {})
    tomorrow = (clock.now() + timedelta(days=1)).isoformat()
    certificate = sandbox.add_certificate("short", ["a.example"], tomorrow)

    def host(number: int, **fields: Any) -> None:
        names = [f"h{number}.example"]
        row = PROXY.complete({"domain_names": names, "forward_host": "10.0.0.1", **fields})
        npm.create(PROXY, row, Marker(f"h{number}", "another instance"))

    with Monitor(store, events) as monitor:
        watcher = Monitoring(npm, monitor)

        def inspect() -> None:
            npm.snapshot()
            watcher.inspect(config)
            eventually(lambda: not watcher._busy)

        inspect()
        assert store.alerts.active() == {}
        host(1, certificate_id=certificate)
        inspect()
        eventually(lambda: len(store.alerts.active()) == 2)
        host(2, locations=[{"path": "/a", "forward_host": "nas.lan", "forward_port": 80}])
        inspect()
        eventually(lambda: "latent nas.lan" in store.alerts.active())


def test_streams_are_read_where_we_may_see_them(sandbox: Sandbox) -> None:
    class Streams(Session):
        def get(self, path: str, *, public: bool = False) -> Any:
            if path != "/nginx/streams":
                return super().get(path, public=public)
            return [
                {
                    "id": 1,
                    "incoming_port": 25,
                    "forwarding_host": "Mail.lan",
                    "tcp_forwarding": 1,
                    "enabled": True,
                    "certificate_id": 5,
                },
                {"id": 2, "forwarding_host": "old.lan", "enabled": 0, "certificate_id": 6},
            ]

    streams = NpmClient(Streams(Transport(sandbox.url), "admin@example.com", "changeme"))
    on, off = streams.snapshot().objects
    assert (on.kind, on.fields["certificate_id"]) == ("stream", 5)
    assert STREAM.resolved_at_start(on.fields) == {"mail.lan"}
    assert not STREAM.is_enabled(off.fields)
    assert streams.last_snapshot == streams.snapshot()
    sandbox.add_user("viewer@example.com", "secret", {"streams": "hidden"})
    viewer = NpmClient(Session(Transport(sandbox.url), "viewer@example.com", "secret"))
    assert viewer.snapshot().objects == ()
    assert "may not see streams" in viewer.snapshot().denied["stream"]
