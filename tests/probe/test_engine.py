"""Many checks at once: bounded, in order, and none waits for another."""

import asyncio
import subprocess
import sys
import threading
import time
from itertools import cycle, islice

import pytest

from proxysync.probe.check import check
from proxysync.probe.engine import probe_many
from proxysync.probe.model import Result
from proxysync.probe.resolver import Resolver
from tests.probe.asking import failed, probe, statuses, step
from tests.servers import OK, answering, closed, connections_to, full, hanging, small
from tests.world import sooner_than


def test_results_stand_in_the_order_of_the_probes() -> None:
    with answering(OK) as server, closed() as port, hanging() as dead:
        ports = list(islice(cycle([server.port, port, dead]), 30))
        results = probe_many([probe(port, timeout=1.0) for port in ports])

    names = [result.failure.name if result.failure else "none" for result in results]
    assert names == list(islice(cycle(["none", "tcp", "http"]), 30))


def test_no_probes_give_no_results() -> None:
    assert probe_many([]) == []


def test_each_result_is_told_with_its_index_as_it_comes() -> None:
    told: list[tuple[int, Result]] = []
    with closed() as port, hanging() as dead:
        results = probe_many(
            [probe(dead, timeout=0.3), probe(port)],
            on_result=lambda index, result: told.append((index, result)),
        )

    assert told == [(1, results[1]), (0, results[0])]


def test_what_a_listener_raises_ends_the_run() -> None:
    def fail(index: int, result: Result) -> None:
        raise LookupError(index)

    with hanging() as dead, closed() as port, pytest.raises(LookupError):
        probe_many([probe(dead, timeout=10), probe(port)], on_result=fail)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_500_upstreams_that_hang_are_waited_for_together(scheme: str) -> None:
    with hanging() as port:
        assert most_at_once(port, scheme) == 500
        results = probe_many([probe(port, scheme=scheme, timeout=1)] * 500)

    assert {failed(result, "http").hint for result in results} == {
        "Connection timed out. Possible firewall blocking. Check network/firewall rules."
    }


def test_500_upstreams_behind_a_firewall_are_waited_for_together() -> None:
    with full() as port:
        fillers = connections_to(port)
        assert most_at_once(port, "http") == fillers + 500
        results = probe_many([probe(port, timeout=1)] * 500)

    assert {failed(result, "tcp").detail for result in results} == {f"127.0.0.1:{port}: timed out"}


def most_at_once(port: int, scheme: str) -> int:
    """How many connections to a port that never answers 500 probes of it come to."""
    most, expected = 0, connections_to(port) + 500

    def all_are_there() -> bool:
        nonlocal most
        most = max(most, connections_to(port))
        return most >= expected

    probe_many([probe(port, scheme=scheme, timeout=20)] * 500, stop=all_are_there)
    return most


def test_20_sites_of_one_small_server_do_not_crowd_it() -> None:
    with small() as port:
        results = probe_many([probe(port)] * 20)

    assert all(result.ok for result in results)
    slowest = max(step(result, "tcp").duration_ms for result in results)
    assert slowest < 1000, "a connection that found the queue full is tried again after 1 s"


def test_no_more_are_under_way_than_allowed() -> None:
    with hanging() as port:
        start = time.monotonic()
        probe_many([probe(port, timeout=0.2)] * 6, concurrency=2)

    assert time.monotonic() - start >= 3 * 0.2


def test_a_process_that_may_open_few_files_opens_few() -> None:
    script = (
        "import resource, socket\n"
        "from proxysync.model import Upstream\n"
        "from proxysync.probe.engine import probe_many\n"
        "from proxysync.probe.model import Probe\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))\n"
        "listener = socket.create_server(('127.0.0.1', 0), backlog=4096)\n"
        "upstream = Upstream('http', '127.0.0.1', listener.getsockname()[1])\n"
        "results = probe_many([Probe(upstream, http_timeout=0.3)] * 300)\n"
        "print({result.failure.hint[:20] for result in results})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.stderr, done.stdout) == ("", "{'Connection timed out'}\n")


def test_a_stopped_run_ends_at_once_and_takes_nothing_for_good() -> None:
    stop = threading.Event()
    told: list[int] = []

    def hear(index: int, result: Result) -> None:
        told.append(index)
        stop.set()

    with hanging() as dead, closed() as port, sooner_than(20):
        results = probe_many(
            [probe(dead, timeout=30), probe(port)], on_result=hear, stop=stop.is_set
        )

    assert told == [1]
    assert failed(results[1], "tcp")
    assert not results[0].ok
    assert statuses(results[0]) == ["skipped", "skipped", "skipped", "fail"]
    assert results[0].failure is not None
    assert results[0].failure.detail == "the run was stopped before this was known"


def test_a_run_that_is_stopped_before_it_begins_connects_to_nothing() -> None:
    with answering(OK) as server:
        results = probe_many([probe(server.port)] * 3, stop=lambda: True)

    assert server.requests == []
    assert not any(result.ok for result in results)


def test_runs_in_several_threads_do_not_disturb_each_other() -> None:
    outcomes: list[bool] = []
    with answering(OK) as server:
        probes = [probe(server.port, host="localhost")] * 10
        threads = [
            threading.Thread(
                target=lambda: outcomes.extend(result.ok for result in probe_many(probes))
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert outcomes == [True] * 40


def test_a_caller_with_an_event_loop_awaits_single_checks() -> None:
    async def both(ports: list[int]) -> list[Result]:
        names = Resolver()
        return await asyncio.gather(
            *(check(probe(port, host="localhost"), names) for port in ports)
        )

    with answering(OK) as server, closed() as port:
        good, bad = asyncio.run(both([server.port, port]))

    assert good.ok
    assert failed(bad, "tcp")


def test_importing_the_room_is_cheap() -> None:
    script = (
        "import sys\n"
        "import proxysync.probe, proxysync.probe.model\n"
        "print([name for name in ('asyncio', 'ssl', 'dns', 'socket') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout == "[]\n"
