"""The part of a restore job that copies what is left of a store to a new place."""

from __future__ import annotations

import errno

from django.utils.translation import gettext as _

from dashboard.acting import Actor
from dashboard.jobs.kinds import ItemResult
from dashboard.models import Job, JobItem
from sessionstore.backup.recover import recover, recovery_candidates
from sessionstore.errors import SessionStoreError
from sessionstore.paths import STORE_NAME

from .backup_places import new_place, root_of
from .backup_reports import failed, findings_of, record
from .backup_work import WAIT_S
from .change_stores import opened_for_change
from .fleet import fleet
from .problems import not_there
from .recovering import candidate_ref
from .tree import shown


def recover_item(job: Job, item: JobItem, actor: Actor) -> ItemResult:
    """Copy what a candidate holds to a new place; the candidate and the store stay."""
    reader = fleet().reader(item.store_id)
    name, wanted = str(job.params["name"]), str(job.params["candidate"])
    try:
        with opened_for_change(reader, WAIT_S) as store:
            listed = recovery_candidates(store, root=root_of(reader.paths))
            found = [one for one in listed if candidate_ref(one) == wanted]
            if not found:
                raise not_there(
                    _("What was to be recovered from is not there any more."),
                    _("Open the page again and choose from what is there."),
                )
            report = recover(found[0], store, new_place(name))
    except SessionStoreError as error:
        if item.attempts > 1 and isinstance(error, OSError) and error.errno == errno.EEXIST:
            return ItemResult("done", _("It is in the new place already."), report={"place": name})
        return failed(job, actor, "store.recover", reader.name, error)
    told = {
        "place": name,
        "candidate": found[0].kind,
        "sessions": report.sessions,
        "verified": report.verified,
        "findings": findings_of(report.findings),
    }
    record(job, actor, "store.recover", reader.name, "done", told)
    return ItemResult("done", f"{shown(report.sentence)}: {name}/{STORE_NAME}.", report=told)
