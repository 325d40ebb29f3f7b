"""NPM: the way to it, what answers there, and what the account may do."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlsplit

from proxysync.app.access import open_session
from proxysync.app.doctor.check import Check
from proxysync.app.doctor.steps import Step
from proxysync.config.environment import Environment
from proxysync.config.models import Config
from proxysync.kinds import KINDS, Kind
from proxysync.npm import tls
from proxysync.npm.patience import Patience
from proxysync.npm.server import missing_right, read_rights, read_version, sees_own_only
from proxysync.npm.session import Session
from proxysync.npm.transport import Transport
from proxysync.probe.engine import probe_one
from proxysync.probe.model import Probe
from proxysync.probe.model import Step as ProbeStep
from proxysync.values.upstreams import port_of, proxy_upstream

CONNECT = 3.0
ANSWER = 5.0
"""Seconds for a connection, and for an answer of NPM."""

SLOW = 2.0
"""Seconds for an answer that takes some milliseconds."""

CLOCK = 60.0
"""Seconds by which two clocks may differ."""

OLDEST, NEWEST = (2, 10), (2, 15)


def steps(env: Environment, config: Config | None) -> tuple[Step, ...]:
    npm = _Npm(env)
    used = {resource.key.kind for resource in config.resources} if config else set()
    told = [kind for kind in KINDS.values() if kind.name in used or kind.is_essential]
    return (
        Step("npm.address", npm.address),
        Step("npm.port", npm.port, needs=("npm.address",)),
        Step("npm.tls", npm.tls, needs=("npm.port",)),
        Step("npm.api", npm.api, needs=("npm.tls",)),
        Step("npm.version", npm.check_version, needs=("npm.api",)),
        Step("npm.clock", npm.clock, needs=("npm.api",)),
        Step("npm.login", npm.login, needs=("npm.api", "settings")),
        *(
            Step(f"npm.rights.{kind.name}", partial(npm.right, kind), needs=("npm.login",))
            for kind in told
        ),
        Step("npm.rights", partial(npm.other_rights, told), needs=("npm.login",)),
        Step("npm.visibility", npm.visibility, needs=("npm.login",)),
    )


class _Npm:
    """What one check has learned of it, for those that need that check."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._version: tuple[int, int, int] | None = None
        self._rights: Mapping[str, str] = {}
        self._port = Check.skipped("")

    @property
    def _url(self) -> str:
        return self._env.npm_url or ""

    def address(self) -> Check:
        if not self._url:
            return Check.skipped("PROXYSYNC_NPM_URL is not set")
        parts = urlsplit(self._url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        upstream = proxy_upstream(f"{parts.scheme}://{host}:{port_of(self._url)}")
        probe = Probe(upstream, skip=frozenset({"http"}), tcp_timeout=CONNECT)
        _, name, port, *_ = probe_one(probe).steps
        self._port = _of_probe(port)
        return _of_probe(name)

    def port(self) -> Check:
        return self._port

    def tls(self) -> Check:
        if not self._url.startswith("https:"):
            return Check.ok("plain HTTP: nothing to check")
        until = tls.handshake(self._url, self._env.ca_file, CONNECT)
        return Check.ok(f"its certificate is trusted; it expires on {until:%Y-%m-%d}")

    def api(self) -> Check:
        begin = time.monotonic()
        self._version = read_version(Session(self._transport(), "", ""))
        took = time.monotonic() - begin
        found = f"NPM answers at {self._url}, in {took * 1000:.0f} ms"
        if took > SLOW:
            return Check.warn(found, "See what keeps its machine busy, or the network to it.")
        return Check.ok(found)

    def check_version(self) -> Check:
        if self._version is None:
            return Check.warn(
                "NPM does not say which version it is", "2.10 to 2.15 are supported and tested."
            )
        text = ".".join(map(str, self._version))
        if self._version[:2] < OLDEST:
            return Check.fail(f"NPM {text} is too old", "Use NPM 2.10 or newer.")
        if self._version[:2] > NEWEST:
            return Check.warn(
                f"NPM {text} is newer than what proxysync was tested with, 2.15",
                "Look for a newer proxysync, and at `proxysync plan` before you apply.",
            )
        return Check.ok(f"NPM {text} is supported")

    def clock(self) -> Check:
        theirs = _time_of(self._transport().exchange("GET", "/").date)
        if theirs is None:
            return Check.skipped("NPM does not say what time it is")
        differ = (datetime.now(UTC) - theirs).total_seconds()
        if abs(differ) > CLOCK:
            ahead = "ahead of" if differ > 0 else "behind"
            return Check.warn(
                f"the clock of this machine is {abs(differ):.0f} s {ahead} NPM's",
                "Have both set by NTP: certificates, logs and pauses depend on it.",
            )
        return Check.ok("this machine's and NPM's show the same time")

    def login(self) -> Check:
        self._rights = read_rights(open_session(self._env, patience=Patience(ANSWER)))
        return Check.ok(f"NPM lets {self._env.identity} in")

    def right(self, kind: Kind) -> Check:
        level = self._rights.get(kind.right)
        if level != "manage":
            raise missing_right(self._url, kind, sees=level == "view")
        return Check.ok(f"the account may manage {kind.label}s")

    def other_rights(self, told: list[Kind]) -> Check:
        others = [kind for kind in KINDS.values() if kind not in told]
        lacking = [kind for kind in others if self._rights.get(kind.right) != "manage"]
        if not lacking:
            return Check.ok("the account may manage all other kinds, too")
        names = ", ".join(kind.right_label for kind in lacking)
        return Check.ok(f"the file needs no more; the account may not manage {names}")

    def visibility(self) -> Check:
        if self._rights.get("visibility") == "all":
            return Check.ok("the account sees all items")
        told = sees_own_only(self._url)
        return Check.warn(told.message, str(told.hint))

    def _transport(self) -> Transport:
        return Transport(self._url, self._env.ca_file, patience=Patience(ANSWER))


def _of_probe(step: ProbeStep) -> Check:
    if step.status == "fail":
        return Check.fail(step.detail, step.hint)
    return Check.ok(step.detail)


def _time_of(date: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
