"""What a stream of the file means, and what the file may not say."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxysync.app.verdict import health_probe, probe_entries
from proxysync.config.errors import ConfigError
from proxysync.config.load import load
from proxysync.config.models import Config
from proxysync.kinds.base import NONE_OWN
from proxysync.kinds.stream import STREAM
from proxysync.model import Certificate, Live, Snapshot

EMPTY = Snapshot(())
ENTRY = {"listen": 25565, "upstream": "10.0.0.5:25565"}


def read(tmp_path: Path, streams: dict[str, Any], **top: Any) -> Config:
    file = tmp_path / "proxies.yaml"
    file.write_text(yaml.safe_dump({"streams": streams, **top}))
    return load(file)


def problems(tmp_path: Path, streams: dict[str, Any], **top: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, streams, **top)
    return str(caught.value)


def fields(tmp_path: Path, entry: dict[str, Any], snapshot: Snapshot = EMPTY) -> Any:
    (resource,) = read(tmp_path, {"one": {**ENTRY, **entry}}).resources
    return STREAM.desired(resource, snapshot, NONE_OWN)


def test_what_an_entry_means(tmp_path: Path) -> None:
    assert fields(tmp_path, {}).fields == {
        "incoming_port": 25565,
        "forwarding_host": "10.0.0.5",
        "forwarding_port": 25565,
        "tcp_forwarding": True,
        "udp_forwarding": False,
        "certificate_id": 0,
        "enabled": True,
    }
    both = fields(tmp_path, {"protocols": ["udp", "tcp"], "enabled": False}).fields
    assert (both["tcp_forwarding"], both["udp_forwarding"], both["enabled"]) == (True, True, False)
    assert STREAM.claims(both) == {"tcp/25565", "udp/25565"}
    assert fields(tmp_path, {"protocols": "udp"}).fields["tcp_forwarding"] is False
    assert fields(tmp_path, {"listen": "9"}).fields["incoming_port"] == 9
    assert fields(tmp_path, {"upstream": "[FD00::5]:9"}).fields["forwarding_host"] == "[fd00::5]"
    assert fields(tmp_path, {"upstream": "Nas.lan:9"}).fields["forwarding_host"] == "nas.lan"


def test_a_certificate_is_named(tmp_path: Path) -> None:
    known = Snapshot((), certificates=(Certificate(7, "wild", ("*.example.com",)),))
    tls = {"certificate": "wild"}
    assert fields(tmp_path, tls, known).fields["certificate_id"] == 7
    assert 'NPM has no certificate "wild"' in fields(tmp_path, tls).problem
    old = Snapshot((), known.certificates, accepted={"stream": frozenset({"enabled"})})
    assert "it came with NPM 2.12.3" in fields(tmp_path, tls, old).problem
    assert fields(tmp_path, {}, old).problem is None


def test_a_default_certificate_is_for_sites_only(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        {"one": ENTRY},
        defaults={"certificate": "x", "force_ssl": True, "health": {"interval": "7s"}},
    )
    (resource,) = config.resources
    assert resource.entry.watched_as is not None
    assert resource.entry.watched_as.interval == 7
    assert STREAM.desired(resource, Snapshot(()), NONE_OWN).fields["certificate_id"] == 0


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"listen": 80}, "80 is the port on which NPM serves its sites over HTTP"),
        ({"listen": 81}, "has its admin page"),
        ({"listen": "443"}, "serves its sites over HTTPS"),
        ({"listen": 3000}, "has its API inside"),
        ({"listen": 0}, "must be a whole number from 1 to 65535, not the number 0"),
        ({"listen": 65536}, "must be a whole number from 1 to 65535"),
        ({"listen": True}, "must be a whole number from 1 to 65535"),
        ({"listen": "x"}, "must be a whole number from 1 to 65535"),
        ({"protocols": []}, "names neither tcp nor udp"),
        ({"protocols": ["sctp"]}, "must be one of tcp, udp"),
        ({"protocols": 7}, "must be a list such as [tcp, udp]"),
        ({"upstream": "tcp://10.0.0.5:9"}, "did you mean 10.0.0.5:9?"),
        ({"upstream": "10.0.0.5"}, "is not host:port"),
        ({"upstream": "10.0.0.5:0"}, "is not host:port"),
        ({"upstream": "10.0.0.5:65536"}, "is not host:port"),
        ({"upstream": "fd00::5:9"}, "did you mean [fd00::5]:9?"),
        ({"upstream": "[x]:9"}, "brackets that hold no IPv6 address"),
        ({"upstream": "a b:9"}, "holds a blank"),
        ({"upstream": "secret@h:9"}, "holds a @"),
        ({"upstream": "$host:9"}, "$"),
        ({"upstream": 9}, "must be host:port such as 10.0.0.5:25565, not the number 9"),
        ({"protocols": ["udp"], "certificate": "x"}, "means nothing for UDP"),
        ({"domains": ["a.example.com"]}, "domains"),
        ({"force_ssl": True}, "force_ssl"),
    ],
)
def test_what_the_file_may_not_say(tmp_path: Path, entry: dict[str, Any], expected: str) -> None:
    text = problems(tmp_path, {"one": {**ENTRY, **entry}})
    assert expected in text
    assert "secret" not in text


def test_a_port_has_one_holder(tmp_path: Path) -> None:
    other = {"listen": "25565", "upstream": "10.0.0.6:1", "protocols": ["udp", "tcp"]}
    text = problems(tmp_path, {"one": ENTRY, "two": other})
    assert "tcp/25565 is already a port of streams.one" in text
    assert "a port has one holder" in text
    assert read(tmp_path, {"one": ENTRY, "two": {**other, "protocols": ["udp"]}}).resources


def test_the_admins_own_port_is_no_ones(tmp_path: Path) -> None:
    own = Snapshot((), admin_port=25565)
    assert "25565 is the port at which NPM's own API answers" in fields(tmp_path, {}, own).problem
    assert fields(tmp_path, {}, Snapshot((), admin_port=81)).problem is None


def test_the_admins_own_port_does_not_keep_a_stream_from_being_taken_down(tmp_path: Path) -> None:
    off = fields(tmp_path, {"enabled": False}, Snapshot((), admin_port=25565))
    assert (off.problem, set(off.unknown)) == (None, {"incoming_port"})


def test_what_it_is_between_two_ports_listens_to_nothing(tmp_path: Path) -> None:
    both = fields(tmp_path, {"protocols": ["tcp", "udp"]}).fields
    assert STREAM.with_claims(both, frozenset({"udp/25565"}))["tcp_forwarding"] is False
    assert STREAM.claims(STREAM.with_claims(both, frozenset({"x.proxysync.invalid"}))) == set()
    assert STREAM.with_claims(both, STREAM.claims(both)) == both
    placeholder = STREAM.placeholder_definition("x.proxysync.invalid")
    assert not STREAM.claims(placeholder) | STREAM.claims(STREAM.with_claims(both, frozenset()))


def test_what_npm_writes_otherwise_is_the_same(tmp_path: Path) -> None:
    want = fields(tmp_path, {}).fields
    row = {**want, "tcp_forwarding": 1, "udp_forwarding": 0, "enabled": 1, "incoming_port": "25565"}
    del row["certificate_id"]
    assert STREAM.complete(row) == want


@pytest.mark.parametrize("mode", ["enforce", "warn", "off"])
def test_no_mode_lets_a_name_pass_that_does_not_resolve(tmp_path: Path, mode: str) -> None:
    entry = {**ENTRY, "upstream": "gone.invalid:9", "validation": {"mode": mode, "skip": ["dns"]}}
    config = read(tmp_path, {"one": entry})
    (verdict,) = probe_entries(config.resources, config.settings.validation)
    assert verdict.blocks
    assert "dns check of tcp://gone.invalid:9 failed" in verdict.reason


def test_tcp_is_tried_and_udp_says_that_it_is_not(tmp_path: Path, closed_port: int) -> None:
    place = f"127.0.0.1:{closed_port}"
    for protocols, ok, tcp in (
        (["tcp"], False, "fail"),
        (["tcp", "udp"], False, "fail"),
        (["udp"], True, "skipped"),
    ):
        config = read(tmp_path, {"one": {**ENTRY, "upstream": place, "protocols": protocols}})
        (verdict,) = probe_entries(config.resources, config.settings.validation)
        steps = {step.name: step for step in verdict.result.steps}
        assert (verdict.ok, steps["tcp"].status) == (ok, tcp)
        assert steps["http"].detail == "what is passed on as it comes is asked nothing"
        watched = health_probe(config.resources[0], config.settings.validation)
        assert (watched is None) is (protocols == ["udp"])
    assert steps["tcp"].detail == "UDP knows no connection to try"


def test_names_that_nginx_looks_up(tmp_path: Path) -> None:
    named = fields(tmp_path, {"upstream": "nas.lan:9"}).fields
    assert STREAM.resolved_at_start(named) == {"nas.lan"}
    assert Live("stream", 1, named).fields == named
