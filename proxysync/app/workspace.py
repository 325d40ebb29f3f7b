"""One NPM and what is remembered of it: all that a use case needs to write there."""

from collections.abc import Callable
from dataclasses import dataclass, field

from proxysync.app.plan import PlanResult
from proxysync.app.planning import OnProbe, nobody_watches
from proxysync.apply.hooks import Hooks
from proxysync.model.event import Emit
from proxysync.npm.client import NpmClient
from proxysync.store.journal import Journal
from proxysync.store.state import State


@dataclass(frozen=True)
class Workspace:
    """From now on `npm` notes in the journal what it sends, before it does.

    `on_plan` hears of the plan that a run begins with.
    """

    npm: NpmClient
    state: State
    journal: Journal
    emit: Emit
    hooks: Hooks = field(default_factory=Hooks)
    on_probe: OnProbe = nobody_watches
    on_plan: Callable[[PlanResult], object] | None = None

    def __post_init__(self) -> None:
        self.npm.recorder = self.journal.flights
