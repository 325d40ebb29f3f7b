"""From entries of the file to probes, and from their results to a verdict for each entry."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proxysync.model import Key, Upstream
from proxysync.probe.model import Probe, Result, Step

if TYPE_CHECKING:
    from proxysync.config.models import Settings
    from proxysync.kinds.proxy import Proxy


@dataclass(frozen=True)
class Verdict:
    """What the probes of one entry found: its upstream's result, and one for each location.

    `failure` is the first failing step that counts, with the upstream it failed for;
    `blocks` tells whether the entry must stay out of NPM for it. `skipped` says why nothing
    was probed at all.
    """

    key: Key
    upstream: Upstream
    result: Result
    locations: tuple[tuple[str, Upstream, Result], ...] = ()
    failure: tuple[Upstream, Step] | None = None
    blocks: bool = False
    skipped: str | None = None

    @property
    def name(self) -> str:
        return self.key.name

    @property
    def warns(self) -> bool:
        """Whether it failed, and the entry may be applied all the same."""
        return self.failure is not None and not self.blocks

    @property
    def ok(self) -> bool:
        return self.failure is None

    @property
    def reason(self) -> str:
        if self.failure is None:
            return ""
        upstream, step = self.failure
        return f"{step.name} check of {upstream} failed: {step.detail}"

    @property
    def hint(self) -> str | None:
        return self.failure[1].hint if self.failure else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "upstream": str(self.upstream),
            **self.result.to_json(),
            "ok": self.ok,
            "blocks": self.blocks,
            "skipped": self.skipped,
            "locations": [
                {"path": path, "upstream": str(upstream), **result.to_json()}
                for path, upstream, result in self.locations
            ],
        }


def validate(
    proxies: Sequence["Proxy"],
    settings: "Settings",
    *,
    on_result: Callable[[], object] = lambda: None,
    stop: Callable[[], bool] | None = None,
) -> list[Verdict]:
    """Probes all upstreams of these entries at once; `on_result` hears of each that is done."""
    from proxysync.probe.engine import probe_many

    groups = [_probes(proxy, settings) for proxy in proxies]
    flat = [probe for group in groups for probe in group]

    def advance(_index: int, _result: Result) -> None:
        on_result()

    results = iter(probe_many(flat, on_result=advance, stop=stop))
    return [
        _verdict(proxy, settings, [next(results) for _ in group])
        for proxy, group in zip(proxies, groups, strict=True)
    ]


def not_probed(proxy: "Proxy", why: str) -> Verdict:
    """The verdict on an entry that is left alone."""
    return Verdict(proxy.key, proxy.upstream, Result(ok=True, steps=()), skipped=why)


def health_probe(proxy: "Proxy", settings: "Settings") -> Probe:
    """The probe of the entry's own upstream once it is live, whatever the mode of validation."""
    return replace(_probes(proxy, settings)[0], skip=frozenset(proxy.validation.skip))


def count_upstreams(proxies: Sequence["Proxy"]) -> int:
    return sum(1 + len(proxy.locations) for proxy in proxies)


def definition_digest(proxy: "Proxy", settings: "Settings") -> str:
    """Changes exactly when validating the entry again could give another result by an edit."""
    text = proxy.model_dump_json(exclude={"source"}) + settings.validation.model_dump_json()
    return hashlib.sha256(text.encode()).hexdigest()


def _probes(proxy: "Proxy", settings: "Settings") -> list[Probe]:
    expect = proxy.health.expect_status
    skip = _skipped(proxy, settings)
    common: dict[str, Any] = {
        "tcp_timeout": settings.validation.tcp_timeout,
        "http_timeout": settings.validation.http_timeout,
        "resolver": settings.validation.resolver,
        "host_header": proxy.domains[0].replace("*.", "wildcard."),
    }
    main = Probe(
        upstream=proxy.upstream,
        path=proxy.health.path,
        expect=expect.matches if expect else None,
        expect_text=str(expect) if expect else "",
        skip=skip,
        **common,
    )
    locations = [
        Probe(
            upstream=location.upstream,
            path=location.upstream.path or "/",
            skip=skip - {"dns"},
            resolved_at_start=not proxy.validation.allow_unresolved,
            **common,
        )
        for location in proxy.locations
    ]
    return [main, *locations]


def _skipped(proxy: "Proxy", settings: "Settings") -> frozenset[str]:
    if _mode(proxy, settings) == "off":
        return frozenset({"dns", "tcp", "http"})
    return frozenset(proxy.validation.skip)


def _mode(proxy: "Proxy", settings: "Settings") -> str:
    return proxy.validation.mode or settings.validation.mode


def _verdict(proxy: "Proxy", settings: "Settings", results: Sequence[Result]) -> Verdict:
    main, *others = results
    locations = tuple(
        (location.path, location.upstream, result)
        for location, result in zip(proxy.locations, others, strict=True)
    )
    failures = [(proxy.upstream, main.failure)]
    failures += [
        (upstream, result.failure)
        for _, upstream, result in locations
        if not (proxy.validation.allow_unresolved and _unresolved(result))
    ]
    failed = [(upstream, step) for upstream, step in failures if step is not None]
    # nginx does not start with such a name in a location, so that no mode lets it pass.
    fatal = [
        (upstream, step) for upstream, step in failed[bool(main.failure) :] if step.name == "dns"
    ]
    blocks = bool(fatal) or (bool(failed) and _mode(proxy, settings) == "enforce")
    first = next(iter(fatal + failed), None)
    return Verdict(
        proxy.key,
        proxy.upstream,
        main,
        locations,
        failure=first,
        # An entry that is off serves nobody, so that nothing is asked of its upstream.
        blocks=blocks and proxy.enabled,
        skipped=_why_skipped(proxy, settings),
    )


def _why_skipped(proxy: "Proxy", settings: "Settings") -> str | None:
    if _mode(proxy, settings) == "off":
        return "validation.mode is off"
    return "validation.skip has every step" if len(proxy.validation.skip) == 3 else None


def _unresolved(result: Result) -> bool:
    return result.failure is not None and result.failure.name == "dns"
