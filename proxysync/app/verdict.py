"""From entries of the file to probes, and from their results to a verdict for each entry."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proxysync.kinds import KINDS
from proxysync.kinds.answers import UpstreamProbe
from proxysync.kinds.entry import Resource, ValidationSettings
from proxysync.model import Key, Keyed, Upstream
from proxysync.probe.model import STEPS, Probe, Result, Step

OnStep = Callable[[UpstreamProbe, Step], object]


@dataclass(frozen=True)
class Verdict(Keyed):
    """What the probes of one entry found: its upstream's result, and one for each location.

    `failure` is the first failing step that counts, with the upstream it failed for;
    `blocks` tells whether the entry must stay out of NPM for it. `skipped` says why nothing
    was probed at all.
    """

    key: Key
    upstream: str | None
    result: Result
    locations: tuple[tuple[str, Upstream, Result], ...] = ()
    failure: tuple[Upstream, Step] | None = None
    blocks: bool = False
    skipped: str | None = None

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
            "kind": self.key.kind,
            "name": self.name,
            "upstream": self.upstream,
            **self.result.to_json(),
            "ok": self.ok,
            "blocks": self.blocks,
            "skipped": self.skipped,
            "locations": [
                {"path": path, "upstream": str(upstream), **result.to_json()}
                for path, upstream, result in self.locations
            ],
        }


def probe_entries(
    resources: Sequence[Resource],
    settings: ValidationSettings,
    *,
    on_result: Callable[[], object] = lambda: None,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] | None = None,
    never_local: bool = False,
) -> list[Verdict]:
    """Probes all upstreams of these entries at once; `on_result` hears of each that is done.

    With `never_local`, this machine itself is asked nothing.
    """
    groups = [_probes(resource, settings, never_local=never_local) for resource in resources]
    every = [each for group in groups for each in group]

    def advance(_index: int, _result: Result) -> None:
        on_result()

    def hear(index: int, step: Step) -> None:
        if on_step:
            on_step(every[index], step)

    from proxysync.probe.engine import probe_many  # noqa: PLC0415 - asyncio, where nothing is probed

    flat = [each.probe for each in every]
    results = iter(probe_many(flat, on_result=advance, on_step=hear, stop=stop))
    return [
        _verdict(resource, settings, [(each, next(results)) for each in group])
        for resource, group in zip(resources, groups, strict=True)
    ]


def not_probed(resource: Resource, why: str) -> Verdict:
    """The verdict on an entry that is left alone."""
    return Verdict(resource.key, resource.entry.leads_to, Result(ok=True, steps=()), skipped=why)


def health_probe(resource: Resource, settings: ValidationSettings) -> Probe | None:
    """The probe of the entry's own upstream once it is live, whatever the mode of validation.

    None where there is none, or where no step is left that could tell good health from bad.
    """
    always = settings.model_copy(update={"mode": "warn"})
    main = next((each for each in _probes(resource, always) if each.label is None), None)
    if main is None or main.probe.skip >= {"tcp", "http"}:
        return None
    return main.probe


def count_upstreams(resources: Sequence[Resource]) -> int:
    settings = ValidationSettings()
    return sum(len(_probes(resource, settings)) for resource in resources)


def definition_digest(resource: Resource, settings: ValidationSettings) -> str:
    """Changes exactly when validating the entry again could give another result by an edit."""
    text = f"{resource.key}{resource.entry.model_dump_json()}{settings.model_dump_json()}"
    return hashlib.sha256(text.encode()).hexdigest()


def _probes(
    resource: Resource, settings: ValidationSettings, *, never_local: bool = False
) -> list[UpstreamProbe]:
    found = KINDS[resource.key.kind].probes(resource, settings)
    return [replace(each, probe=replace(each.probe, never_local=never_local)) for each in found]


def _verdict(
    resource: Resource, settings: ValidationSettings, found: Sequence[tuple[UpstreamProbe, Result]]
) -> Verdict:
    failed = [
        (each, result.failure)
        for each, result in found
        if result.failure is not None and result.failure.name not in each.forgiven
    ]
    # nginx does not start with such a name in a location, so that no mode lets it pass.
    fatal = [(each, step) for each, step in failed if step.name in each.fatal]
    mode = resource.entry.validation_mode or settings.mode
    blocks = bool(fatal) or (bool(failed) and mode == "enforce")
    first = next(iter(fatal + failed), None)
    main = next(((each, result) for each, result in found if each.label is None), None)
    return Verdict(
        resource.key,
        resource.entry.leads_to,
        main[1] if main else Result(ok=True, steps=()),
        tuple((each.label, each.upstream, result) for each, result in found if each.label),
        failure=(first[0].upstream, first[1]) if first else None,
        # An entry that is off serves nobody, so that nothing is asked of its upstream.
        blocks=blocks and resource.is_on,
        skipped=_why_skipped(mode, main[0].probe if main else None),
    )


def _why_skipped(mode: str, main: Probe | None) -> str | None:
    if main is None:
        return "it has no upstream"
    if mode == "off":
        return "validation.mode is off"
    return "validation.skip has every step" if main.skip >= set(STEPS[1:]) else None
