"""The job that does one edit or action once the session's lock is to be had.

What somebody typed is in the item's parameters only until it has a result; then the result takes
its place, which also makes a second run of the item after a crash harmless.
"""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.jobs.kinds import ItemResult, Kind, register
from dashboard.models import Job, JobItem

from .bulk_recovery import done_before
from .change_problems import LockedError, OverlapError
from .changing import Saved
from .edit_saving import Request, carry, packed, unpacked
from .problems import Problem, ProblemError

KIND = "edit"
WAIT_S = 20.0
_MOST_RETRIES = 30


def ask_for(actor: Actor, asked: Request, *, title: str) -> Job:
    """Have it done by a job.

    Raises:
        RefusedError, ProblemError: as :func:`dashboard.jobs.queue.ask`.
    """
    items = [(asked.store_id, asked.key, packed(asked))]
    as_text = asked.wanted is not None and asked.wanted.any_field
    params = {"action": asked.action or "edit", "as_text": as_text}
    return queue.ask(actor, kind=KIND, title=title, items=items, params=params, reason=asked.reason)


def run_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Do it, unless an earlier run of this item has."""
    if "ended" in item.params:
        return ItemResult(*item.params["ended"])
    if item.attempts > 1 and (earlier := done_before(job, item, actor)) is not None:
        return _ended(item, earlier)
    asked = unpacked(item.store_id, item.key, item.params, reason=job.reason)
    try:
        saved = carry(actor, asked, wait_s=WAIT_S, job_id=job.pk)
    except LockedError as error:
        if item.retries < _MOST_RETRIES:
            return ItemResult("retry", error.problem.detail)
        return _ended(item, ItemResult("failed", _sentences(error.problem)))
    except OverlapError as error:
        told = _("Edit it again: what you typed is not kept.")
        return _ended(item, ItemResult("failed", f"{error.problem.detail} {told}"))
    except ProblemError as error:
        return _ended(item, ItemResult("failed", _sentences(error.problem)))
    return _ended(item, _result(saved))


def _ended(item: JobItem, result: ItemResult) -> ItemResult:
    """Put the result where what was typed has been."""
    item.params = {"ended": [result.state, result.message, result.change_id]}
    item.save(update_fields=["params"])
    return result


def _result(saved: Saved) -> ItemResult:
    if saved.unchanged:
        return ItemResult("skipped", saved.skipped)
    said = _("Saved, read back and compared.")
    if not saved.verified:
        said = _("Saved; a writer has changed it again since.")
    return ItemResult("done", " ".join((said, *saved.notes)), saved.change_id)


def _sentences(problem: Problem) -> str:
    return " ".join(filter(None, (problem.detail, problem.hint)))


_NEVER_RUN = "It ended before its turn, and what was typed is not kept: edit it again."

register(
    Kind(
        KIND,
        "operator",
        run_item,
        title=lazy("Change of one session"),
        most_retries=_MOST_RETRIES,
        left_of_params={"ended": ["failed", _NEVER_RUN, None]},
    )
)
