"""What an earlier run of a job's item has done before its runner died.

A change is made in this order: what it replaces is kept as a version, the entry is written, the
change is recorded. A runner that dies after the second step leaves a version that no change names;
it is recorded now, so that the change is listed and can be taken back.
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from dashboard.acting import Actor
from dashboard.jobs.kinds import ItemResult
from dashboard.models import AuditEvent, Change, Job, JobItem
from sessionstore import transcripts
from sessionstore.errors import SessionStoreError
from sessionstore.kept import Version
from sessionstore.paths import StorePaths
from sessionstore.store import open_store
from sessionstore.versions import versions

from .change_records import Task, differences_of, note_done
from .fleet import fleet, page_budget_s
from .problems import Problem, ProblemError
from .readers import Reader
from .tree import shown


def done_before(job: Job, item: JobItem, actor: Actor) -> ItemResult | None:
    """The result of an earlier run of this item; None when it changed nothing.

    Raises:
        ProblemError: the store does not answer.
    """
    own = Change.objects.filter(job_id=job.pk, store_id=item.store_id, key=item.key)
    change = own.filter(undoes_id=None).first()
    if change is not None:
        return ItemResult("done", change_id=change.pk)
    reader = fleet().reader(item.store_id)
    version = _unrecorded(reader, job, item, actor)
    return None if version is None else _record(reader, job, item, actor, version)


def _unrecorded(reader: Reader, job: Job, item: JobItem, actor: Actor) -> Version | None:
    """The newest version of the session, if this job made it and no change names it."""
    newest = reader.read(lambda paths: _newest(paths, item.key), budget_s=10 * page_budget_s())
    if isinstance(newest, Problem):
        raise ProblemError(newest)
    if newest is None:
        return None
    is_ours = newest.by == actor.name and newest.action == job.params["action"]
    began_ms = job.created_at.timestamp() * 1000
    if not is_ours or newest.at_ms < began_ms:
        return None
    return None if Change.objects.filter(version_id=newest.id).exists() else newest


def _newest(paths: StorePaths, key: str) -> Version | None:
    with open_store(paths.store_path) as store:
        return next(iter(versions(store, key)), None)


def _record(
    reader: Reader, job: Job, item: JobItem, actor: Actor, version: Version
) -> ItemResult | None:
    task = Task(actor, reader, item.key, version.action, job.reason, job.pk)
    intents = AuditEvent.objects.filter(action=f"session.{version.action}", target=task.target)
    intent = intents.filter(outcome="started").order_by("-sequence").first()
    if intent is None:  # the intent is written first, so there is one unless somebody removed it
        return None
    change = note_done(task, intent, version, differences_of(version))
    assert change is not None  # there is one for every version
    return ItemResult("done", _transcript_moved(reader.paths, version), change.pk)


def _transcript_moved(paths: StorePaths, version: Version) -> str:
    """Set the transcript aside if the first run did not come to it, and say where it is."""
    if "transcript" not in version.note:
        return ""
    name, archived = version.note["transcript"]
    try:
        transcripts.set_aside(paths, name, archived)
    except SessionStoreError as error:
        return _("Its transcript stays where it is: %s") % shown(error.message)
    return _("Its transcript is kept as %s.") % shown(archived)
