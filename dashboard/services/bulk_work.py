"""The job that applies a plan: one session after the other, each looked at once more.

A session that is not as the plan showed it is left alone and said so; one whose lock is held is
tried again later. An item may be run twice, because its runner died in between: what the first run
has done is found again and counts once.
"""

from __future__ import annotations

import time
from typing import Any

from django.utils.translation import gettext as _

from dashboard.acting import Actor
from dashboard.jobs.kinds import ItemResult, Kind, register
from dashboard.models import Job, JobItem

from .bulk_apply import KIND
from .bulk_effects import Effects, effects
from .bulk_recovery import done_before
from .bulk_selection import Picked
from .change_problems import (
    InvalidFieldsError,
    LockedError,
    MovedError,
    OverlapError,
    VanishedError,
)
from .changing import Saved, act
from .problems import Problem

WAIT_S = 2.0
_TRIES = 5


def run_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Do what the plan says to one session, if the session is as the plan says."""
    if item.attempts > 1:
        earlier = done_before(job, item, actor)
        if earlier is not None:
            return earlier
    for _try in range(_TRIES):
        now = _look(job, item)
        if now.skip:
            return ItemResult("skipped", now.skip)
        if now.seen != item.params["seen"]:
            return ItemResult("skipped", _("It has changed since the plan was made."))
        try:
            return _result(_act(job, item, actor, if_match=now.etag))
        except (MovedError, OverlapError):
            continue  # a writer came in between: look whether that matters
        except LockedError as error:
            return ItemResult("retry", error.problem.detail)
        except (VanishedError, InvalidFieldsError) as error:
            return ItemResult("skipped", _sentence(error.problem))
    return ItemResult("retry", _("Writers change it all the time."))


def _look(job: Job, item: JobItem) -> Effects:
    """What the action would do to the session now."""
    one = Picked(item.store_id, "", item.key)
    now_ms = time.time_ns() // 1_000_000
    return effects([one], job.params["action"], job.params["params"], now_ms=now_ms)[0]


def _act(job: Job, item: JobItem, actor: Actor, *, if_match: str) -> Saved:
    params: dict[str, Any] = job.params["params"]
    return act(
        actor,
        item.store_id,
        item.key,
        job.params["action"],
        params,
        reason=job.reason,
        wait_s=WAIT_S,
        if_match=if_match,
        job_id=job.pk,
    )


def _result(saved: Saved) -> ItemResult:
    if saved.unchanged:
        return ItemResult("skipped", saved.skipped)
    return ItemResult("done", " ".join(saved.notes), saved.change_id)


def _sentence(problem: Problem) -> str:
    return f"{problem.title}. {problem.detail}"


register(Kind(KIND, "operator", run_item, title=_("Bulk action")))
