"""The four steps for one upstream, as a coroutine for any event loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from proxysync.probe.exchange import Exchange
from proxysync.probe.model import STEPS, Probe, Result, Step, StepName
from proxysync.probe.outcome import (
    INTERNAL,
    LOCAL,
    NO_NAME_SERVER,
    NO_RESOLVER,
    TIMED_OUT,
    UNRESOLVED,
    Good,
    StepError,
)
from proxysync.probe.reach import is_local
from proxysync.probe.resolver import Found, Resolver, Unresolved, parse_ip
from proxysync.probe.sessions import Sessions
from proxysync.probe.streams import Dialler
from proxysync.probe.syntax import check_syntax

_KEEPS_NPM_DOWN = (
    "; nginx resolves the name of a location when it starts, and that of a stream: with this one "
    "all of NPM would not start, and all sites would be down"
)
_MUST_BE_KNOWN = (
    "; nginx needs the name of a location or a stream to start, so it must be known to resolve"
)
_CONTAINER = (
    "; a name without a dot is most likely a container's, which only its docker networks know: "
    "run proxysync in the network that NPM shares with it"
)


async def check(
    probe: Probe,
    names: Resolver | None = None,
    on_step: Callable[[Step], object] = lambda _step: None,
    sessions: Sessions | None = None,
) -> Result:
    """Runs the steps in order; those after a failure are skipped. Never raises.

    A step in `probe.skip` gives no verdict, but what a later step needs of it is done all the
    same, in that step and within its time: without dns, tcp resolves the name; without tcp,
    http connects. With tcp and http skipped nothing is connected to.

    `names` holds the names looked up so far; checks of one round share it. `on_step` hears of each
    step as it ends. `sessions` is for who asks the same upstreams again and again, and wants to
    know nothing of their certificates; see `Exchange`.
    """
    visit = _Visit(probe, names or Resolver(), sessions)
    steps: list[Step] = []
    failed: StepName | None = None
    try:
        for name in STEPS:
            if name in probe.skip:
                steps.append(Step(name, "skipped", _why_left_out(name, probe.upstream.scheme)))
            elif failed:
                steps.append(Step(name, "skipped", f"not tried, because {failed} failed"))
            else:
                steps.append(await visit.step(name))
                failed = name if steps[-1].status == "fail" else None
            on_step(steps[-1])
    finally:
        visit.close()
    return Result(failed is None, tuple(steps))


class _Visit:
    """One upstream's check under way: what a step has found out for those after it."""

    def __init__(self, probe: Probe, names: Resolver, sessions: Sessions | None) -> None:
        self._probe = probe
        self._sessions = sessions
        self._names = names
        self._dialler: Dialler | None = None
        self._actions: dict[StepName, Callable[[], Awaitable[Good]]] = {
            "syntax": self._syntax,
            "dns": self._dns,
            "tcp": self._tcp,
            "http": self._http,
        }

    async def step(self, name: StepName) -> Step:
        start = time.monotonic()
        try:
            good = await self._actions[name]()
        except StepError as failure:
            hint = failure.hint.format(port=self._probe.upstream.port)
            return Step(name, "fail", failure.detail, hint, _since(start))
        except Exception as error:  # noqa: BLE001 - one odd upstream must not end the others' checks
            detail = f"the check itself failed: {type(error).__name__}: {error}"
            return Step(name, "fail", detail, INTERNAL, _since(start))
        return Step(name, "warn" if good.hint else "pass", good.detail, good.hint, _since(start))

    def close(self) -> None:
        if self._dialler:
            self._dialler.close()

    async def _syntax(self) -> Good:
        return Good(check_syntax(self._probe))

    async def _dns(self) -> Good:
        host = self._probe.upstream.host
        if parse_ip(host):
            return Good(f"{host} is an address")
        found = await self._addresses()
        return Good(f"{host} is {', '.join(str(address) for address in found.addresses)}")

    async def _tcp(self) -> Good:
        deadline = asyncio.get_running_loop().time() + self._probe.tcp_timeout
        dialler = await self._reach(deadline)
        await dialler.connect(deadline)
        return Good(f"connected to {dialler.peer}")

    async def _http(self) -> Good:
        deadline = asyncio.get_running_loop().time() + self._probe.http_timeout
        dialler = await self._reach(deadline)
        return await Exchange(self._probe, dialler, deadline, self._sessions).run()

    async def _reach(self, deadline: float) -> Dialler:
        if self._dialler is None:
            try:
                async with asyncio.timeout_at(deadline):
                    found = await self._addresses()
            except TimeoutError as error:
                detail = f"{self._probe.upstream.host} did not resolve in time"
                raise StepError(detail, TIMED_OUT) from error
            self._dialler = Dialler(found.addresses, self._probe.upstream.port)
        return self._dialler

    async def _addresses(self) -> Found:
        host = self._probe.upstream.host
        outcome = parse_ip(host) or await self._names.find(host, self._probe.resolver)
        if not isinstance(outcome, Found):
            raise _unresolved(self._probe, outcome)
        return _without_local(outcome, host) if self._probe.never_local else outcome


def _without_local(found: Found, host: str) -> Found:
    """Those that may be connected to: no other lookup comes between this look and that."""
    others = tuple(each for each in found.addresses if not is_local(str(each.sockaddr[0])))
    if others:
        return Found(others)
    told = ", ".join(str(address) for address in found.addresses)
    is_what = "is" if told.strip("[]") == host.strip("[]") else f"is {told},"
    what = "a loopback, link-local or cloud metadata address, which is not connected to"
    raise StepError(f"{host} {is_what} {what}", LOCAL)


def _unresolved(probe: Probe, outcome: Unresolved) -> StepError:
    host = probe.upstream.host
    if outcome.any_name:
        detail = f"{host} cannot be looked up, nor can any other name: {outcome.reason}"
        at_start = _MUST_BE_KNOWN if probe.resolved_at_start else ""
        return StepError(detail + at_start, NO_RESOLVER if probe.resolver else NO_NAME_SERVER)
    detail = f"{host} does not resolve: {outcome.reason}"
    if probe.resolved_at_start:
        detail += _KEEPS_NPM_DOWN
    if "." not in host and host != "localhost":
        detail += _CONTAINER + _way_out(probe)
    return StepError(detail, UNRESOLVED)


def _way_out(probe: Probe) -> str:
    """What lets an entry pass whose container only NPM can see; a stream's cannot."""
    if probe.upstream.scheme in ("tcp", "udp"):
        return ""
    skip = "allow_unresolved: true" if probe.resolved_at_start else "skip: [dns, tcp, http]"
    return f", or set `validation: {{{skip}}}` for this entry"


def _why_left_out(name: StepName, scheme: str) -> str:
    if scheme not in ("tcp", "udp"):
        return "left out on request"
    if name == "http":
        return "what is passed on as it comes is asked nothing"
    return "UDP knows no connection to try" if scheme == "udp" else "left out on request"


def _since(start: float) -> int:
    return round((time.monotonic() - start) * 1000)
