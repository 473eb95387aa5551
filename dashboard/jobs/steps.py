"""What somebody may do to a job in the state it is in: the buttons of its page."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from dashboard.acting import Actor
from dashboard.models import Job
from dashboard.models.jobs import FAILED, FINISHED, PAUSED, RUNNING, WAITING

from .kinds import forgets, stops_within
from .queue import may_steer


@dataclass(frozen=True, slots=True)
class Step:
    """One button. ``name`` is the last part of the address it posts to."""

    name: str
    label: str
    icon: str


def steps_for(actor: Actor, job: Job, *, is_stalled: bool) -> tuple[Step, ...]:
    """The steps that this person may take now; none in read-only mode."""
    if settings.READ_ONLY or not may_steer(actor, job):
        return ()
    is_running, wanted = job.state == RUNNING, job.wanted
    every = (
        (Step("pause", _("Pause"), "pause"), job.state == WAITING or (is_running and not wanted)),
        (Step("resume", _("Resume"), "play"), job.state == PAUSED or wanted == "pause"),
        (
            Step(
                "cancel",
                _("Cancel after this item")
                if is_running and not is_stalled and not stops_within(job)
                else _("Cancel"),
                "close",
            ),
            job.state not in FINISHED and wanted != "cancel",
        ),
        (Step("retry", _("Try failed items again"), "refresh"), _can_retry(job)),
    )
    return tuple(step for step, is_possible in every if is_possible)


def _can_retry(job: Job) -> bool:
    broke_off = job.state == FAILED and job.done + job.skipped < job.total
    return job.state in FINISHED and (job.failed > 0 or broke_off) and not forgets(job)
