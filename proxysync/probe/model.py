"""What is to be checked, and what was found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from proxysync.model import Upstream

StepName = Literal["syntax", "dns", "tcp", "http"]
StepStatus = Literal["pass", "fail", "warn", "skipped"]

STEPS: tuple[StepName, ...] = ("syntax", "dns", "tcp", "http")


@dataclass(frozen=True)
class Step:
    """One step's verdict: `detail` says what was found, `hint` what to do next, if anything.

    `duration_ms` is in whole milliseconds; 0 for a skipped step.
    """

    name: StepName
    status: StepStatus
    detail: str
    hint: str | None = None
    duration_ms: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint,
            "duration_ms": self.duration_ms,
        }


@dataclass(frozen=True)
class Result:
    """The verdict on one upstream; `steps` are always the four of `STEPS`, in that order."""

    ok: bool
    steps: tuple[Step, ...]

    @property
    def failure(self) -> Step | None:
        """The first step that failed."""
        return next((step for step in self.steps if step.status == "fail"), None)

    @property
    def latency_ms(self) -> int | None:
        """The http step's time in milliseconds; None if that step did not run."""
        http = next((step for step in self.steps if step.name == "http"), None)
        return http.duration_ms if http and http.status != "skipped" else None

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.ok, "steps": [step.to_json() for step in self.steps]}


@dataclass(frozen=True)
class Probe:
    """What is to be checked, and how.

    `path` is asked for by GET with `host_header` as the Host (as NPM does: the proxy's first
    domain; None: the upstream's own). `expect` judges the status code (None: anything below
    500 is good) and `expect_text` is how to print that (`200-399`). `skip` names steps to leave
    out. Timeouts are in seconds and cover their whole step. `resolver` is a name server
    (`127.0.0.1:5353`, or an address alone) that is asked in the system's stead.
    With `never_local`, no address is connected to that `probe.reach.is_local` knows.
    `resolved_at_start` marks the upstream of a location or a stream: nginx resolves its name when
    it starts, and does not start without.
    """

    upstream: Upstream
    path: str = "/"
    expect: Callable[[int], bool] | None = None
    expect_text: str = ""
    skip: frozenset[str] = frozenset()
    tcp_timeout: float = 5.0
    http_timeout: float = 10.0
    host_header: str | None = None
    resolver: str | None = None
    resolved_at_start: bool = False
    never_local: bool = False
