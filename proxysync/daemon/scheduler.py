"""`schedule` goes by the wall clock; these jobs keep their pace whatever that clock does."""

import time
from datetime import timedelta

import schedule


class SteadyScheduler(schedule.Scheduler):
    """A scheduler of jobs `every` so often, by the monotonic clock.

    By the wall clock, one that is set back an hour, or the end of summer time, would hold all
    jobs up for that hour.
    """

    def every(self, interval: int = 1) -> schedule.Job:
        return _SteadyJob(interval, self)

    @property
    def pause(self) -> float:
        """Seconds until the next job is due."""
        due = [job.due for job in self.jobs if isinstance(job, _SteadyJob)]
        return max(0.0, min(due, default=0.0) - time.monotonic())


class _SteadyJob(schedule.Job):
    due = 0.0
    """When it is to run, by the monotonic clock."""

    @property
    def should_run(self) -> bool:
        return time.monotonic() >= self.due

    def _schedule_next_run(self) -> None:
        super()._schedule_next_run()
        assert self.unit is not None
        self.due = time.monotonic() + timedelta(**{self.unit: self.interval}).total_seconds()
