"""What validation found of an entry before it went live is the first check of its health."""

from collections.abc import Sequence

from proxysync.app.verdict import Verdict, health_probe
from proxysync.apply.report import ChangeResult, Report
from proxysync.config.models import Config
from proxysync.model import clock
from proxysync.model.health import Check, HealthState, Rules, judge
from proxysync.store.health import HealthStore, Record


def remember_first_health(
    store: HealthStore, config: Config, verdicts: Sequence[Verdict], report: Report
) -> None:
    """Takes down what was well of what is live now and was never checked before.

    What failed and was let through is left to the daemon, which looks twice. Raises StateError.
    """
    live = {o.key for o in report.outcomes if o.result is ChangeResult.DONE}
    well = {v.key: v for v in verdicts if v.ok and v.skipped is None and v.key in live}
    if not well:
        return
    known, records = store.standings(), []
    for resource in config.resources:
        verdict, health = well.get(resource.key), resource.entry.watched_as
        standing = known.get(resource.key, HealthState())
        if verdict is None or health is None or standing.checked_at is not None:
            continue
        if health_probe(resource, config.settings.validation) is None:
            continue  # nothing was asked that tells health, and nobody looks again
        check = Check(
            clock.now(), ok=True, latency_ms=verdict.result.latency_ms, lasts=health.interval
        )
        rules = Rules(health.failure_threshold, health.success_threshold)
        records.append(Record(resource.key, judge(standing, check, rules)[0], check))
    if records:
        store.save(records)
