"""The http step: one GET, and every way in which the answer can be none."""

import asyncio
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysync import __version__
from proxysync.probe.answer import WantsTlsError, ask, request
from proxysync.probe.outcome import PeerError
from tests.probe.asking import failed, run, step
from tests.servers import OK, answering, dripping, hanging, read_request, serving
from tests.world import PATIENCE, sooner_than

TIMED_OUT = "Connection timed out. Possible firewall blocking. Check network/firewall rules."
NO_ANSWER = "Service closed the connection without an answer. Check its log and the port."


def status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode()


def test_the_request_is_one_plain_get() -> None:
    with answering(OK) as server:
        run(server.port, path="/health?token=s3cret", host_header="media.example.com")

    assert server.requests == [
        (
            "GET /health?token=s3cret HTTP/1.1\r\n"
            "Host: media.example.com\r\n"
            f"User-Agent: proxysync/{__version__}\r\n"
            "Accept: */*\r\n"
            "Connection: close\r\n\r\n"
        ).encode()
    ]


def test_without_a_host_header_the_upstream_is_named() -> None:
    with answering(OK) as server:
        run(server.port, host="localhost")

    assert f"Host: localhost:{server.port}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("health", b"GET /health HTTP/1.1"),
        ("/a b", b"GET /a%20b HTTP/1.1"),
        ("/é", b"GET /%C3%A9 HTTP/1.1"),
        ("/%2f?a=1&b=[2]", b"GET /%2f?a=1&b=[2] HTTP/1.1"),
        ("/\r\nX: y", b"GET /%0D%0AX:%20y HTTP/1.1"),
    ],
)
def test_no_path_can_break_the_request_line(path: str, line: bytes) -> None:
    assert request(path, "a.example").split(b"\r\n")[0] == line


@pytest.mark.parametrize("status", [200, 204, 301, 401, 404, 499])
def test_anything_below_500_is_good_by_default(status: int) -> None:
    with answering(status_line(status)) as server:
        result = run(server.port)

    assert result.ok
    assert step(result, "http").detail == f"http://127.0.0.1:{server.port}/ answered HTTP {status}"


@pytest.mark.parametrize("status", [500, 503, 599])
def test_a_5xx_fails(status: int) -> None:
    with answering(status_line(status)) as server:
        failure = failed(run(server.port), "http")

    assert failure.detail.endswith(f"/ answered HTTP {status}, expected less than 500")
    assert failure.hint == (
        f"Service responded with HTTP {status}. The service may not be healthy."
    )


@pytest.mark.parametrize(("status", "good"), [(200, True), (399, True), (404, False), (503, False)])
def test_an_expectation_decides_alone(status: int, good: bool) -> None:
    with answering(status_line(status)) as server:
        result = run(server.port, expect=lambda s: 200 <= s < 400, expect_text="200-399")

    assert result.ok is good
    if not good:
        failure = failed(result, "http")
        assert failure.detail.endswith(f"answered HTTP {status}, expected 200-399")
        assert failure.hint == (
            f"Service responded with HTTP {status}. The service may not be healthy."
        )


def test_an_expected_5xx_is_good() -> None:
    with answering(status_line(503)) as server:
        assert run(server.port, expect=lambda status: status == 503).ok


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with answering(OK) as target:
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{target.port}/\r\n\r\n"
        with answering(moved.encode()) as server:
            result = run(server.port)

        assert result.ok
        assert step(result, "http").detail.endswith("answered HTTP 302")
        assert len(server.requests) == 1
        assert target.requests == []


def test_interim_answers_are_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    with answering(b"HTTP/1.1 100 Continue\r\n\r\n" + early + status_line(503)) as server:
        assert "HTTP 503" in failed(run(server.port), "http").detail


def test_a_query_stays_out_of_the_detail() -> None:
    with answering(status_line(500)) as server:
        failure = failed(run(server.port, path="/health?token=s3cret"), "http")

    assert "s3cret" not in failure.detail
    assert f"http://127.0.0.1:{server.port}/health answered" in failure.detail


def test_the_body_is_not_waited_for() -> None:
    with dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x") as server:
        result = run(server.port)

    assert result.ok


def test_a_server_that_never_answers_times_out() -> None:
    with hanging() as port:
        failure = failed(run(port, timeout=0.4), "http")

    assert failure.detail == f"http://127.0.0.1:{port}/ did not give a full answer within 0.4 s"
    assert failure.hint == TIMED_OUT


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [(b"", b"HTTP/"), (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), (b"", b"HTTP/1.1 102 P\r\n\r\n")],
)
def test_a_server_that_drips_its_headers_ends_at_the_timeout(beginning: bytes, drop: bytes) -> None:
    with dripping(beginning, drop) as server, sooner_than(PATIENCE):
        failure = failed(run(server.port, timeout=0.5), "http")

    assert failure.hint == TIMED_OUT


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "“SSH-2.0-OpenSSH_9.6”"),
        (b"\x00\x01\x1b[31m", "“···[31m”"),
        (b"<html>hello</html>", "“<html>hello</html>”"),
    ],
)
def test_what_is_not_http_is_shown(answer: bytes, shown: str) -> None:
    with answering(answer) as server:
        failure = failed(run(server.port), "http")

    assert failure.detail.endswith(f"answers something else than HTTP: {shown}")
    assert failure.hint == (
        f"Service on port {server.port} does not speak HTTP. Check if the port is correct."
    )


def test_a_banner_is_enough_to_tell_that_it_is_not_http() -> None:
    def greet(peer: socket.socket) -> None:
        peer.sendall(b"SSH-2.0-x\r\n")
        server.closing.wait(10)

    with serving(greet) as server:
        failure = failed(run(server.port), "http")

        assert "“SSH-2.0-x”" in failure.detail


def test_a_connection_closed_without_an_answer_is_said_to_be_so() -> None:
    with serving(lambda peer: None) as server:
        failure = failed(run(server.port), "http")

    assert failure.detail == f"http://127.0.0.1:{server.port}/ hung up without an answer"
    assert failure.hint == NO_ANSWER


def reset(peer: socket.socket) -> None:
    read_request(peer)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_reset_connection_is_one_without_an_answer() -> None:
    with serving(reset) as server:
        failure = failed(run(server.port), "http")

    assert failure.detail.endswith("hung up without an answer")


def test_half_an_answer_is_none() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nX: y") as server:
        failure = failed(run(server.port), "http")

    assert failure.detail.endswith("hung up in the middle of its answer")
    assert failure.hint == NO_ANSWER


def test_headers_without_end_are_not_read_without_end() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000) as server:
        failure = failed(run(server.port), "http")

    assert failure.detail.endswith("sent more than 65536 bytes of headers")


class Pieces:
    """A stream that gives an answer in pieces of the sizes asked for."""

    def __init__(self, answer: bytes, sizes: list[int]) -> None:
        self._rest = answer
        self._sizes = sizes

    async def send(self, data: bytes) -> None:
        """Takes anything."""

    async def receive(self) -> bytes:
        size = self._sizes.pop() if self._sizes else 4096
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def verdict(answer: bytes, sizes: list[int]) -> str:
    try:
        return str(asyncio.run(ask(Pieces(answer, sizes), b"")))
    except (PeerError, WantsTlsError) as failure:
        return type(failure).__name__


@given(
    status=st.integers(200, 599),
    interim=st.integers(0, 3),
    ending=st.sampled_from([b"\r\n", b"\n"]),
    body=st.binary(max_size=20),
    sizes=st.lists(st.integers(1, 40), max_size=20),
)
def test_an_answer_means_the_same_in_whatever_pieces_it_comes(
    status: int, interim: int, ending: bytes, body: bytes, sizes: list[int]
) -> None:
    head = b"HTTP/1.1 102 Processing" + ending * 2
    answer = head * interim + f"HTTP/1.0 {status}".encode() + ending + b"A: b" + ending * 2 + body

    assert verdict(answer, sizes) == str(status)


@given(answer=st.binary(max_size=200), sizes=st.lists(st.integers(1, 40), max_size=20))
def test_no_answer_is_worse_than_a_failure(answer: bytes, sizes: list[int]) -> None:
    assert verdict(answer, sizes) in {"PeerError", "NoAnswerError", "WantsTlsError"}
