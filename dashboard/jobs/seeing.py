"""Which jobs somebody may see: all of whose stores are in their scope. And what states are called.

A job that is about no store is for those alone who see everything.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from dashboard import scope
from dashboard.models import Job, JobStore
from dashboard.models.jobs import CANCELLED, DONE, FAILED, PAUSED, RUNNING, SKIPPED, WAITING
from dashboard.services.problems import ProblemError, not_there


def visible_jobs() -> QuerySet[Job]:
    """The jobs within the scope of the code that is running."""
    agents = scope.current()
    if agents is None:
        return Job.objects.all()
    stores = JobStore.objects.filter(job=OuterRef("pk"))
    outside = stores.exclude(agent__in=agents)
    return Job.objects.filter(Exists(stores)).exclude(Exists(outside))


def find_job(job_id: int) -> Job:
    """One job.

    Raises:
        ProblemError: there is no such job, or it is outside the scope, which looks the same.
    """
    job = visible_jobs().filter(pk=job_id).first()
    if job is None:
        raise no_such_job()
    return job


def no_such_job() -> ProblemError:
    """The answer for a job that is not there, was removed for its age, or may not be seen."""
    return not_there(
        _("There is no job with this number, or no longer: finished ones are removed in time."),
        _("Open the list of jobs and choose one that is there."),
    )


def state_word(state: str) -> str:
    """A state of a job or an item, said for a person."""
    words = {
        WAITING: _("waiting"),
        RUNNING: _("running"),
        PAUSED: _("paused"),
        DONE: _("done"),
        FAILED: _("failed"),
        CANCELLED: _("cancelled"),
        SKIPPED: _("skipped"),
    }
    return words.get(state, state)
