"""What would change in NPM to bring it in sync with the file; nothing is touched."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from proxysync.app import hold, planning
from proxysync.app.choose import ALL, Only
from proxysync.app.planning import OnProbe, Options, Planned, Probed, nobody_watches
from proxysync.app.result import APPLIED_ANYWAY
from proxysync.app.rights import account_warnings
from proxysync.app.saved_plan import SavedPlan
from proxysync.app.state_folder import StateReader
from proxysync.config.models import Config
from proxysync.kinds.references import Named, reference_names
from proxysync.model import Key, Snapshot
from proxysync.model.annotation import Annotation
from proxysync.model.position import Position
from proxysync.model.redact import redact_text
from proxysync.model.text import one_line
from proxysync.npm.client import NpmClient
from proxysync.plan import render
from proxysync.plan.model import Plan

WHEN_LAST_PROBED = " (when it was last probed; `proxysync plan --probe` probes it again)"


@dataclass(frozen=True)
class PlanResult:
    """A plan, and how to show it; `secrets` are not to be shown. `notes` are for a person, and
    `saved` is what to keep of it for `apply --plan`. `places` are where the entries stand, `tags`
    those of each.
    """

    plan: Plan
    secrets: Mapping[str, str] = field(repr=False)
    named: Named
    notes: tuple[str, ...] = ()
    saved: SavedPlan | None = None
    places: Mapping[Key, Position] = field(default_factory=dict, repr=False)
    tags: Mapping[Key, Sequence[str]] = field(default_factory=dict, repr=False)

    def only(self, asked: Only) -> "PlanResult":
        """The same with the changes of some entries only; what left the file has no tags.

        Raises ProxysyncError for a tag that no entry has.
        """
        if asked == ALL:
            return self
        asked.require_tag({tag for tags in self.tags.values() for tag in tags})
        return replace(
            self, plan=self.plan.only(lambda key: asked.takes(key.kind, self.tags.get(key, ())))
        )

    def to_json(self) -> dict[str, Any]:
        """The shape of `plan --format json`."""
        return render.to_json(self.plan, mask=self.secrets, named=self.named)

    def to_text(self, *, colour: bool) -> str:
        return render.to_text(self.plan, colour=colour, mask=self.secrets, named=self.named)

    def to_annotations(self, file: Path) -> Iterator[Annotation]:
        """Notes at the entries of the file."""
        whole = Position(str(file))
        return render.to_annotations(self.plan, self.places, whole, self.secrets, self.named)

    def to_markdown(self) -> str:
        return render.to_markdown(self.plan, mask=self.secrets, named=self.named)


def plan(
    config: Config,
    npm: NpmClient,
    stored: StateReader,
    snapshot: Snapshot,
    *,
    probe: bool = False,
    on_probe: OnProbe = nobody_watches,
) -> PlanResult:
    """The plan for this file and what was read of NPM; with `probe`, without what fails validation.

    Raises NpmError.
    """
    read = planning.read(config, Options(), snapshot, stored.state)
    planned = planning.plan_from(read)
    saved = SavedPlan.of(planned, npm.url)
    if probe:
        probed = planning.probe(planned, on_probe=on_probe)
        planned = planning.replan(probed)
        found = _warnings(probed)
    else:
        planned = _without_probe(planned)
        found = _not_probed(planned)
    notes = (*stored.warnings, *found, *_of_account(npm, config, stored), *_of_hold(config, stored))
    return replace(result(planned, notes), saved=saved)


def plan_as_seen(config: Config, snapshot: Snapshot, stored: StateReader) -> PlanResult:
    """The same for NPM as it was just now; nothing is probed."""
    read = planning.read(config, Options(), snapshot, stored.state)
    return result(_without_probe(planning.plan_from(read)))


def _without_probe(planned: Planned) -> Planned:
    """The plan without what failed validation when it was last probed."""
    known = {entry.key: f"{entry.reason}{WHEN_LAST_PROBED}" for entry in planned.known_blocks}
    return planning.plan_from(planned.read, known) if known else planned


def result(planned: Planned, notes: tuple[str, ...] = ()) -> PlanResult:
    """A plan with all that is needed to show it."""
    read = planned.read
    names = reference_names(read.snapshot)
    places = {resource.key: resource.source for resource in read.config.resources}
    notes = (*read.config.selection.notes, *notes)
    tags = {resource.key: resource.entry.tags for resource in read.config.resources}
    return PlanResult(planned.plan, read.config.secrets, names, notes, places=places, tags=tags)


def _warnings(probed: Probed) -> Iterator[str]:
    label = probed.planned.plan.label_of
    for verdict in probed.verdicts:
        if verdict.warns:
            text = f"Warning: {label(verdict.key)} would be {APPLIED_ANYWAY}: {verdict.reason}"
            yield one_line(redact_text(text, probed.planned.read.config.secrets))


def _not_probed(planned: Planned) -> Iterator[str]:
    if planned.candidates:
        yield "Note: upstreams were not probed; `proxysync plan --probe` does that."


def _of_account(npm: NpmClient, config: Config, stored: StateReader) -> Iterator[str]:
    for warning in account_warnings(npm, config, stored.state):
        yield f"Warning: {warning}"


def _of_hold(config: Config, stored: StateReader) -> Iterator[str]:
    pause = stored.state.pauses.current() if stored.state else None
    if pause is not None:
        yield f"Note: {pause}."
    found = stored.state.hold() if stored.state else None
    if found is not None and found.covers(config.fingerprint):
        yield f"Note: {hold.describe(found)}."
