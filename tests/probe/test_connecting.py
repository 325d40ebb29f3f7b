"""The syntax and tcp steps, each failure provoked for real."""

import socket

import pytest

from tests.probe.asking import failed, run, statuses, step
from tests.servers import OK, answering, closed, full, hanging
from tests.world import PATIENCE, sooner_than

REFUSED = (
    "Port {port} is not accepting connections. "
    "Check if the service is running and the port is correct."
)
TIMED_OUT = "Connection timed out. Possible firewall blocking. Check network/firewall rules."
NO_ROUTE = "Host is not reachable. Verify the IP address and network connectivity."


def test_a_good_upstream_passes_all_four_steps() -> None:
    with answering(OK) as server:
        result = run(server.port)

    assert result.ok
    assert statuses(result) == ["pass"] * 4
    assert step(result, "dns").detail == "127.0.0.1 is an address"
    assert step(result, "tcp").detail == f"connected to 127.0.0.1:{server.port}"
    assert result.failure is None
    assert result.latency_ms is not None


def test_the_json_of_a_result_has_the_documented_shape() -> None:
    with closed() as port:
        shown = run(port).to_json()

    assert set(shown) == {"ok", "steps"}
    assert shown["ok"] is False
    assert [entry["name"] for entry in shown["steps"]] == ["syntax", "dns", "tcp", "http"]
    for entry in shown["steps"]:
        assert list(entry) == ["name", "status", "detail", "hint", "duration_ms"]


def test_a_port_without_a_listener_is_refused() -> None:
    with closed() as port:
        failure = failed(run(port), "tcp")

    assert failure.detail == f"127.0.0.1:{port}: refused"
    assert failure.hint == REFUSED.format(port=port)


def test_what_comes_behind_a_failure_says_why_it_was_skipped() -> None:
    with closed() as port:
        result = run(port)

    assert step(result, "http").detail == "not tried, because tcp failed"
    assert result.latency_ms is None


def test_an_attempt_that_nobody_answers_times_out_in_time() -> None:
    with full() as port, sooner_than(PATIENCE):
        failure = failed(run(port, timeout=0.5), "tcp")

    assert failure.detail == f"127.0.0.1:{port}: timed out"
    assert failure.hint == TIMED_OUT
    assert 450 <= failure.duration_ms < 2000


@pytest.mark.allow_hosts(["255.255.255.255"])
def test_an_address_that_cannot_be_routed_has_no_route() -> None:
    # The kernel refuses TCP to the broadcast address by itself and at once; nothing is sent.
    failure = failed(run(9, host="255.255.255.255"), "tcp")

    assert failure.detail == "255.255.255.255:9: no route (Network is unreachable)"
    assert failure.hint == NO_ROUTE


def test_an_ipv6_upstream_is_reached() -> None:
    with answering(OK, socket.AF_INET6) as server:
        result = run(server.port, host="[::1]")

    assert result.ok
    assert step(result, "tcp").detail == f"connected to [::1]:{server.port}"


def infos(*addresses: str) -> list[object]:
    return [
        info
        for address in addresses
        for info in socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
    ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[object]]:
    """What the system's resolver says for a name, in the stead of /etc/hosts."""
    known: dict[str, list[object]] = {}
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: known.get(host) or real(host, *a, **k)
    )
    return known


def test_the_next_address_is_tried_when_the_first_refuses(names: dict[str, list[object]]) -> None:
    names["two.example"] = infos("::1", "127.0.0.1")
    with answering(OK) as server:
        result = run(server.port, host="two.example")

    assert result.ok
    assert step(result, "dns").detail == "two.example is [::1], 127.0.0.1"
    assert step(result, "tcp").detail == f"connected to 127.0.0.1:{server.port}"


def test_an_address_that_hangs_leaves_time_for_the_next(names: dict[str, list[object]]) -> None:
    with full() as port:
        names["two.example"] = infos("127.0.0.1", "127.0.0.2")
        listener = socket.create_server(("127.0.0.2", port))
        with listener:
            result = run(port, host="two.example", timeout=1, skip=frozenset({"http"}))

    assert step(result, "tcp").detail == f"connected to 127.0.0.2:{port}"


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "255.255.255.255"])
@pytest.mark.parametrize(
    ("addresses", "hint"),
    [
        (["255.255.255.255", "127.0.0.1"], TIMED_OUT),
        (["255.255.255.255", "127.0.0.1", "127.0.0.2"], REFUSED),
    ],
)
def test_all_addresses_errors_are_told_and_the_most_telling_gives_the_hint(
    names: dict[str, list[object]], addresses: list[str], hint: str
) -> None:
    names["odd.example"] = infos(*addresses)
    with full() as port:
        failure = failed(run(port, host="odd.example", timeout=0.5), "tcp")

    assert failure.hint == hint.format(port=port)
    assert failure.detail.split("; ")[:2] == [
        f"255.255.255.255:{port}: no route (Network is unreachable)",
        f"127.0.0.1:{port}: timed out",
    ]


def test_a_step_left_out_says_so_and_the_others_run() -> None:
    with answering(OK) as server:
        result = run(server.port, host="localhost", skip=frozenset({"dns", "tcp"}))

    assert result.ok
    assert statuses(result) == ["pass", "skipped", "skipped", "pass"]
    assert step(result, "dns").detail == "left out on request"


def test_with_tcp_left_out_a_refused_connection_fails_the_http_step() -> None:
    with closed() as port:
        result = run(port, skip=frozenset({"tcp"}))

    assert statuses(result) == ["pass", "pass", "skipped", "fail"]
    assert step(result, "http").hint == REFUSED.format(port=port)


def test_with_tcp_and_http_left_out_nothing_is_connected_to() -> None:
    with closed() as port:
        assert run(port, skip=frozenset({"tcp", "http"})).ok


def test_with_http_left_out_an_open_port_is_enough() -> None:
    with hanging() as port:
        result = run(port, skip=frozenset({"http"}))

    assert statuses(result) == ["pass", "pass", "pass", "skipped"]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"scheme": "ftp"}, "the scheme “ftp” is neither http nor https"),
        ({"port": 0}, "the port 0 is not between 1 and 65535"),
        ({"port": 70000}, "the port 70000 is not between 1 and 65535"),
        ({"host": ""}, "“” is neither a host name nor an address"),
        ({"host": "::1"}, "an IPv6 address stands in brackets: [::1]"),
        ({"host": "[127.0.0.1]"}, "“[127.0.0.1]” is not an IPv6 address"),
        ({"host": "a.example:80"}, "the host “a.example:80” holds a colon"),
        ({"host": "[fe80::1%lo]"}, "“[fe80::1%lo]” is not an IPv6 address"),
        ({"host": "127.1"}, "“127.1” is not an IPv4 address"),
        ({"host": "10.0.0.300"}, "“10.0.0.300” is not an IPv4 address"),
        ({"host": "a b"}, "“a b” is neither a host name nor an address"),
        ({"host": "a..b"}, "“a..b” is neither a host name nor an address"),
        ({"host": "x" * 64}, "is neither a host name nor an address"),
        ({"host_header": "a\r\nX: y"}, "the Host header 'a\\r\\nX: y' holds a blank"),
    ],
)
def test_an_upstream_that_cannot_be_one_fails_the_syntax_step(
    change: dict[str, object], detail: str
) -> None:
    arguments: dict[str, object] = {"port": 80, **change}
    failure = failed(run(**arguments), "syntax")  # type: ignore[arg-type]

    assert detail in failure.detail
    assert failure.hint == "Write the upstream as scheme://host:port (e.g. http://10.0.0.5:8096)."


def test_even_a_value_of_the_wrong_type_gives_a_result() -> None:
    assert not run("80").ok  # type: ignore[arg-type]
    assert not run(80, host=None).ok


def test_an_expectation_that_raises_fails_only_its_own_check() -> None:
    with answering(OK) as server:
        failure = failed(run(server.port, expect=lambda status: status / 0 > 1), "http")

    assert "ZeroDivisionError" in failure.detail
