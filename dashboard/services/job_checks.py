"""Checks of jobs: whether what was asked for is being worked on."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.jobs import life
from dashboard.jobs.seeing import visible_jobs
from dashboard.models.jobs import RUNNING, WAITING

from .check import Check
from .stores import StoreList


def jobs(stores: StoreList) -> Iterator[Check]:
    """Jobs that run, and whether any waits while no runner is there."""
    running = visible_jobs().filter(state=RUNNING).count()
    waiting = visible_jobs().filter(state=WAITING).count()
    if waiting and not life.is_any_alive():
        sentence = ngettext(
            "%(n)d job waits, and no job runner has come to it.",
            "%(n)d jobs wait, and no job runner has come to them.",
            waiting,
        ) % {"n": waiting}
        hint = _("Start manage.py jobs, or manage.py serve, which starts one.")
        yield _told(stores, "bad", sentence, hint)
    elif running:
        sentence = ngettext("%(n)d job is running.", "%(n)d jobs are running.", running)
        yield _told(stores, "ok", sentence % {"n": running})
    else:
        yield _told(stores, "ok", _("No job is running."))


def _told(stores: StoreList, state: str, sentence: str, detail: str = "") -> Check:
    return Check("jobs", state, sentence, detail, "jobs", "", stores.read_at_ms)
