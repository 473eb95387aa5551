"""The job that checks stores, and asking for one. A check changes nothing in a store."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from dashboard import scope
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.jobs.kinds import ItemResult, Kind, register
from dashboard.jobs.seeing import visible_jobs
from dashboard.models import Job, JobItem
from dashboard.models.jobs import FINISHED
from sessionstore.errors import SessionStoreError
from sessionstore.maintenance import examine, take
from sessionstore.store import open_store

from .fleet import fleet
from .problems import ProblemError, problem_of
from .readers import Reader
from .tidy_keeping import keep_report
from .tidy_words import CHECK, KINDS, checked_sentence


def ask_check(actor: Actor, readers: Sequence[Reader], *, reason: str = "") -> Job:
    """Have stores checked. One store that is about to be checked anyway: that job is the answer.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
    """
    if len(readers) == 1 and (job := job_at(readers[0].id)) is not None and job.kind == CHECK:
        return job
    names = readers[0].name if len(readers) == 1 else _("%d stores") % len(readers)
    items: list[queue.Item] = [(reader.id, reader.name, {}) for reader in readers]
    return queue.ask(actor, kind=CHECK, title=_("Check %s") % names, items=items, reason=reason)


def job_at(store_id: str) -> Job | None:
    """The check, plan, run or taking back of a store that runs or waits, whoever asked for it."""
    jobs = visible_jobs().filter(stores__store_id=store_id, kind__in=KINDS)
    return jobs.exclude(state__in=FINISHED).order_by("created_at", "pk").first()


def check_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Check one store and keep what was found."""
    reader = fleet().reader(item.store_id)
    began_s = time.monotonic()
    try:
        with open_store(
            reader.paths.store_path, gateway_lock_dir=settings.GATEWAY_LOCK_DIR
        ) as store:
            look = take(store, may_look_at=scope.allows)
    except SessionStoreError as error:
        raise ProblemError(problem_of(error)) from error
    checked = examine(look)
    took_ms = round(1000 * (time.monotonic() - began_s))
    kept = keep_report(reader, look, checked, actor=actor.name, job_id=job.pk, took_ms=took_ms)
    said = checked_sentence(
        count=kept.findings_count, rules=kept.rules, entries=kept.entries, files=kept.files
    )
    told = {
        "report": kept.pk,
        "findings": kept.findings_count,
        "errors": kept.errors,
        "warnings": kept.warnings,
        "new": kept.new,
        "gone": kept.gone,
    }
    return ItemResult("done", said, report=told)


register(Kind(CHECK, "operator", check_item, lazy("Check of stores"), of_stores=True))
