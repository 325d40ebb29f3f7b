"""The dns step: as the machine resolves, and as one name server does."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.nameserver
import dns.resolver
import pytest

from proxysync.probe import resolver
from proxysync.probe.engine import probe_many
from proxysync.probe.resolver import _split
from tests.probe.asking import failed, probe, run, statuses, step
from tests.servers import OK, NameServer, answering
from tests.world import sooner_than

UNRESOLVED = "Domain cannot be resolved. Check DNS settings or use an IP address."
NO_NAME_SERVER = "No name server answers this machine. Check its network and /etc/resolv.conf."
NO_RESOLVER = "The name server of settings.validation.resolver does not answer. Check its address."


DNSPYTHONS_OWN_LIMIT = 5.0
BLOCKED = 30.0
"""Seconds for which the system's resolver says nothing."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LOOKUP_TIMEOUT", 0.4)
    monkeypatch.setattr(resolver, "EXPLAIN_TIMEOUT", 0.4)


class TestOneNameServer:
    """Names asked of the `resolver` that the probe names."""

    def test_a_name_it_knows_resolves(self, name_server: NameServer) -> None:
        name_server.records["web.example", "A"] = ["127.0.0.1"]
        with answering(OK) as server:
            result = run(server.port, host="web.example", resolver=name_server.address)

        assert result.ok
        assert step(result, "dns").detail == "web.example is 127.0.0.1"

    def test_ipv6_addresses_count(self, name_server: NameServer) -> None:
        name_server.records["six.example", "AAAA"] = ["::1"]
        with answering(OK, socket.AF_INET6) as server:
            result = run(server.port, host="six.example", resolver=name_server.address)

        assert result.ok
        assert step(result, "dns").detail == "six.example is [::1]"

    def test_an_alias_is_followed(self, name_server: NameServer) -> None:
        name_server.records["www.example", "CNAME"] = ["web.example."]
        name_server.records["web.example", "CNAME"] = ["host.example."]
        name_server.records["host.example", "A"] = ["127.0.0.1"]
        with answering(OK) as server:
            assert run(server.port, host="www.example", resolver=name_server.address).ok

    def test_a_server_that_ignores_ipv6_questions_does_not_spoil_the_rest(
        self, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resolver, "SECOND_FAMILY_TIMEOUT", 0.2)
        name_server.records["web.example", "A"] = ["127.0.0.1"]
        name_server.silent.add(("web.example", "AAAA"))
        with answering(OK) as server:
            result = run(server.port, host="web.example", resolver=name_server.address)

        assert result.ok
        assert step(result, "dns").duration_ms < 4000

    def test_the_machines_own_names_do_not_count(self, name_server: NameServer) -> None:
        failure = failed(run(80, host="localhost", resolver=name_server.address), "dns")

        assert failure.detail == "localhost does not resolve: there is no such name (NXDOMAIN)"

    def test_a_name_that_does_not_exist_fails(self, name_server: NameServer) -> None:
        failure = failed(run(80, host="gone.example", resolver=name_server.address), "dns")

        assert failure.detail == "gone.example does not resolve: there is no such name (NXDOMAIN)"
        assert failure.hint == UNRESOLVED

    def test_an_alias_of_nothing_fails(self, name_server: NameServer) -> None:
        name_server.records["www.example", "CNAME"] = ["gone.example."]
        failure = failed(run(80, host="www.example", resolver=name_server.address), "dns")

        assert "there is no such name" in failure.detail

    def test_a_name_without_addresses_fails(self, name_server: NameServer) -> None:
        name_server.records["mail.example", "MX"] = ["10 mx.example."]
        failure = failed(run(80, host="mail.example", resolver=name_server.address), "dns")

        assert "the name exists but has no address" in failure.detail
        assert failure.hint == UNRESOLVED

    def test_a_server_that_cannot_answer_is_named(self, name_server: NameServer) -> None:
        name_server.broken.add("web.example")
        failure = failed(run(80, host="web.example", resolver=name_server.address), "dns")

        assert f"127.0.0.1 port {name_server.port} cannot answer (SERVFAIL)" in failure.detail
        assert failure.hint == UNRESOLVED

    @pytest.mark.usefixtures("quick")
    def test_a_silent_server_is_named_in_time(self, name_server: NameServer) -> None:
        name_server.silent.update({("web.example", "A"), ("web.example", "AAAA")})
        with sooner_than(DNSPYTHONS_OWN_LIMIT):
            failure = failed(run(80, host="web.example", resolver=name_server.address), "dns")

        assert f"no answer from 127.0.0.1 port {name_server.port}" in failure.detail
        assert failure.hint == UNRESOLVED

    @pytest.mark.usefixtures("quick")
    @pytest.mark.parametrize("how", ["broken", "silent"])
    def test_a_server_that_answers_for_no_name_is_what_is_wrong(
        self, name_server: NameServer, how: str
    ) -> None:
        fail_all(name_server, how, "web.example")
        failure = failed(run(80, host="web.example", resolver=name_server.address), "dns")

        assert failure.detail.startswith(
            f"web.example cannot be looked up, nor can any other name: {ANSWER[how]}"
        )
        assert failure.hint == NO_RESOLVER

    @pytest.mark.usefixtures("quick")
    def test_a_name_that_cannot_exist_is_wrong_whoever_answers(
        self, name_server: NameServer
    ) -> None:
        fail_all(name_server, "silent", "gone.invalid")
        failure = failed(run(80, host="gone.invalid", resolver=name_server.address), "dns")

        assert failure.hint == UNRESOLVED

    @pytest.mark.parametrize("resolver", ["dns.example", "127.0.0.1:", "127.0.0.1:x", "[::1]:0"])
    def test_a_resolver_that_is_no_address_is_named(self, resolver: str) -> None:
        failure = failed(run(80, host="web.example", resolver=resolver), "dns")

        assert f"the resolver “{resolver}” is not an address" in failure.detail

    @pytest.mark.parametrize(
        ("resolver", "expected"),
        [
            ("10.0.0.1", ("10.0.0.1", 53)),
            ("10.0.0.1:5353", ("10.0.0.1", 5353)),
            ("::1", ("::1", 53)),
            ("[::1]", ("::1", 53)),
            ("[::1]:5353", ("::1", 5353)),
        ],
    )
    def test_a_resolver_is_an_address_with_or_without_a_port(
        self, resolver: str, expected: tuple[str, int]
    ) -> None:
        assert _split(resolver) == expected


class TestTheMachinesResolver:
    """Names asked of getaddrinfo, which the hosts file and nsswitch.conf are part of."""

    def test_a_name_of_the_hosts_file_resolves(self) -> None:
        with answering(OK) as server:
            result = run(server.port, host="localhost")

        assert result.ok
        assert "127.0.0.1" in step(result, "dns").detail

    @pytest.mark.usefixtures("no_such_names")
    def test_a_location_whose_name_does_not_resolve_takes_all_sites_down(
        self, resolv_conf: Callable[[], NameServer]
    ) -> None:
        resolv_conf()
        failure = failed(run(80, host="gone.example", resolved_at_start=True), "dns")

        assert "nginx resolves the name of a location when it starts" in failure.detail
        assert "all sites would be down" in failure.detail
        assert failure.hint == UNRESOLVED

    @pytest.mark.usefixtures("no_such_names")
    @pytest.mark.parametrize(
        ("more", "advice"),
        [
            ({}, "or set `validation: {skip: [dns, tcp, http]}` for this entry"),
            (
                {"resolved_at_start": True},
                "or set `validation: {allow_unresolved: true}` for this entry",
            ),
            (
                {"scheme": "tcp", "skip": frozenset({"http"})},
                "in the network that NPM shares with it",
            ),
        ],
    )
    def test_a_bare_name_may_be_a_containers_and_what_to_do_is_said(
        self, resolv_conf: Callable[[], NameServer], more: dict[str, Any], advice: str
    ) -> None:
        resolv_conf()
        failure = failed(run(80, host="jellyfin", **more), "dns")

        assert "most likely a container's" in failure.detail
        assert failure.detail.partition("run proxysync ")[2].endswith(advice)
        assert failure.hint == UNRESOLVED

    @pytest.mark.usefixtures("no_such_names")
    def test_a_name_with_a_dot_is_taken_for_no_containers(
        self, resolv_conf: Callable[[], NameServer]
    ) -> None:
        resolv_conf()
        assert "container" not in failed(run(80, host="gone.example"), "dns").detail

    @pytest.mark.usefixtures("quick")
    @pytest.mark.parametrize("how", ["broken", "silent"])
    def test_a_name_server_that_answers_for_no_name_is_the_machines_trouble(
        self, resolv_conf: Callable[[], NameServer], monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", no_answer)
        fail_all(resolv_conf(), how, "web.example")

        failure = failed(run(80, host="web.example", resolved_at_start=True), "dns")

        assert failure.detail.startswith("web.example cannot be looked up, nor can any other name")
        assert ANSWER[how] in failure.detail
        assert "must be known to resolve" in failure.detail
        assert failure.hint == NO_NAME_SERVER

    @pytest.mark.usefixtures("no_such_names")
    def test_with_dns_left_out_the_tcp_step_says_that_the_name_does_not_resolve(
        self, resolv_conf: Callable[[], NameServer]
    ) -> None:
        resolv_conf()
        result = run(80, host="gone.example", skip=frozenset({"dns"}))

        assert statuses(result) == ["pass", "skipped", "fail", "skipped"]
        assert "gone.example does not resolve" in step(result, "tcp").detail
        assert step(result, "tcp").hint == UNRESOLVED

    @pytest.mark.usefixtures("no_such_names", "quick")
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("gone.example", "there is no such name (NXDOMAIN)"),
            ("empty.example", "the name exists but has no address (no A or AAAA record)"),
            ("broken.example", "cannot answer (SERVFAIL)"),
            ("silent.example", "no answer from"),
            ("known.example", "the system says “Name or service not known”, though"),
        ],
    )
    def test_a_failure_is_explained_by_the_systems_name_server(
        self, resolv_conf: Callable[[], NameServer], name: str, reason: str
    ) -> None:
        server = resolv_conf()
        server.records["empty.example", "TXT"] = ["nothing"]
        server.records["known.example", "A"] = ["127.0.0.1"]
        server.broken.add("broken.example")
        server.silent.update({("silent.example", "A"), ("silent.example", "AAAA")})

        failure = failed(run(80, host=name), "dns")

        assert failure.detail.startswith(f"{name} does not resolve: ")
        assert reason in failure.detail
        assert failure.hint == UNRESOLVED

    @pytest.mark.usefixtures("no_such_names")
    def test_a_machine_without_a_name_server_says_so(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        real = dns.resolver.BaseResolver.read_resolv_conf
        empty = tmp_path / "resolv.conf"
        empty.write_text("# nothing\n")
        monkeypatch.setattr(
            dns.resolver.BaseResolver, "read_resolv_conf", lambda self, _: real(self, str(empty))
        )

        failure = failed(run(80, host="gone.example"), "dns")

        assert "no name server is configured on this machine" in failure.detail
        assert failure.hint == NO_NAME_SERVER

    @pytest.mark.usefixtures("quick")
    def test_a_lookup_that_blocks_is_left_behind_in_time(self, blocked_lookups: list[str]) -> None:
        with sooner_than(BLOCKED):
            failure = failed(run(80, host="slow.example"), "dns")

        assert "the system's resolver did not answer within 0.4 s" in failure.detail
        assert failure.hint == UNRESOLVED

    @pytest.mark.usefixtures("quick")
    def test_with_dns_left_out_a_blocked_lookup_ends_with_the_tcp_timeout(
        self, blocked_lookups: list[str]
    ) -> None:
        result = run(80, host="slow.example", skip=frozenset({"dns"}), timeout=0.2)

        assert "slow.example did not resolve in time" in step(result, "tcp").detail

    @pytest.mark.usefixtures("quick")
    def test_a_name_is_looked_up_once_in_a_run(self, blocked_lookups: list[str]) -> None:
        results = probe_many([probe(80, host="slow.example")] * 20)

        assert [failed(result, "dns").name for result in results] == ["dns"] * 20
        assert blocked_lookups == ["slow.example"]

    @pytest.mark.usefixtures("quick")
    def test_blocked_lookups_do_not_hold_up_hundreds_of_other_names(
        self, blocked_lookups: list[str]
    ) -> None:
        with answering(OK) as server:
            slow = [probe(80, host=f"slow{n}.example") for n in range(200)]
            good = probe(server.port, host="localhost")
            with sooner_than(BLOCKED):
                results = probe_many([*slow, good])

        assert results[-1].ok

    def test_a_blocked_lookup_does_not_hold_up_the_interpreters_exit(self) -> None:
        script = (
            "import socket, time\n"
            "from proxysync.model import Upstream\n"
            "from proxysync.probe import engine, model, resolver\n"
            "socket.getaddrinfo = lambda *a, **k: time.sleep(60)\n"
            "resolver.LOOKUP_TIMEOUT = 0.2\n"
            "result = engine.probe_one(model.Probe(Upstream('http', 'slow.example', 80)))\n"
            "print(result.failure.name)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env=os.environ | {"PYTHONWARNINGS": "error"},
        )

        assert (done.returncode, done.stdout, done.stderr) == (0, "dns\n", "")


ANSWER = {"broken": "127.0.0.1", "silent": "no answer from 127.0.0.1"}
"""How it begins what is said of a name server that fails in this way."""


def fail_all(server: NameServer, how: str, name: str) -> None:
    """Has it answer for this name as little as for the root, which every name server knows."""
    if how == "broken":
        server.broken |= {name, "."}
    else:
        server.silent |= {(host, record) for host in (name, ".") for record in ("A", "AAAA")}


def no_answer(*_: object, **__: object) -> list[object]:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.fixture
def no_such_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C library finds none of the tests' names: what it asks is not the tests' to say."""

    def getaddrinfo(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def resolv_conf(
    monkeypatch: pytest.MonkeyPatch, name_server: NameServer
) -> Callable[[], NameServer]:
    """Makes the test's name server the one that /etc/resolv.conf names (it knows no ports)."""

    def read(resolver: dns.resolver.BaseResolver, _: str) -> None:
        resolver.nameservers = [dns.nameserver.Do53Nameserver("127.0.0.1", name_server.port)]

    def install() -> NameServer:
        monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", read)
        return name_server

    return install


@pytest.fixture
def blocked_lookups(
    monkeypatch: pytest.MonkeyPatch, resolv_conf: Callable[[], NameServer]
) -> Iterator[list[str]]:
    """getaddrinfo blocks on every name but localhost; the names it was asked for."""
    resolv_conf()
    asked: list[str] = []
    release = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: object, **more: object) -> object:
        if host == "localhost":
            return real(host, None, type=socket.SOCK_STREAM)
        asked.append(host)
        release.wait(BLOCKED)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    release.set()
