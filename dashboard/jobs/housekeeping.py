"""What has to go after a while, done by whichever runner comes to it, once an hour at most."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from dashboard.models import Change, Chore, Job, Plan, SignIn
from dashboard.models.jobs import FINISHED
from dashboard.services.alert_raising import remove_old_alerts
from dashboard.services.blobs import finish_all
from dashboard.services.check_acknowledging import remove_expired_acknowledgements
from dashboard.services.migration_plans import remove_old_plans
from dashboard.services.report_tidying import tidy_all_reports
from dashboard.services.tidy_expiring import expire_all_runs
from dashboard.services.tidy_keeping import remove_old_reports
from dashboard.services.tidy_plan_rows import remove_old_tidy_plans
from dashboard.services.versions import sweep_all

_log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
SIGN_INS_KEPT = timedelta(days=90)
_LOOK_EVERY_S = 60.0
_AT_ONCE = 50


def remove_expired_plans(now: datetime) -> int:
    """Plans that nobody applied in time, and those that were applied and have had their time."""
    return Plan.objects.filter(expires_at__lt=now).delete()[0]


def remove_old_jobs(now: datetime) -> int:
    """Finished jobs with their items; a few at a time, so that nobody waits for the database."""
    before = now - timedelta(days=settings.JOBS_KEPT_DAYS)
    old = Job.objects.filter(state__in=FINISHED, finished_at__lt=before).order_by("pk")
    removed = 0
    while some := list(old.values_list("pk", flat=True)[:_AT_ONCE]):
        Job.objects.filter(pk__in=some).delete()
        removed += len(some)
    return removed


def remove_old_sign_ins(now: datetime) -> int:
    """Sign-ins not used for long, ended or lapsed; the audit keeps what it knows of them."""
    return SignIn.objects.filter(seen_at__lt=now - SIGN_INS_KEPT).delete()[0]


def remove_expired_sessions(now: datetime) -> int:
    """Sessions of browsers that are over."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    return 0  # Django does not say how many


def remove_expired_changes(now: datetime) -> int:
    """Changes that can no longer be taken back."""
    return Change.objects.filter(expires_at__lt=now).delete()[0]


#: All that is done; each takes the time and returns how much it removed. Add to it here.
CHORES: dict[str, Callable[[datetime], int]] = {
    "plans": remove_expired_plans,
    "plans of migrations": remove_old_plans,
    "jobs": remove_old_jobs,
    "sign-ins": remove_old_sign_ins,
    "browser sessions": remove_expired_sessions,
    "changes": remove_expired_changes,
    "versions": sweep_all,
    "blobs": finish_all,
    "reports": tidy_all_reports,
    "alerts": remove_old_alerts,
    "acknowledgements": remove_expired_acknowledgements,
    "checks of stores": remove_old_reports,
    "plans of clean-ups": remove_old_tidy_plans,
    "runs of clean-ups": expire_all_runs,
}


class Housekeeping:
    """Looks once a minute for chores that nobody has begun for an hour."""

    def __init__(self) -> None:
        self._looked_s = -_LOOK_EVERY_S

    def do_what_is_due(self) -> None:
        """Do every chore that is due; one that fails is logged and keeps no other from its turn."""
        if time.monotonic() - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = time.monotonic()
        for name, chore in CHORES.items():
            if not _is_ours(name):
                continue
            try:
                removed = chore(timezone.now())
            except Exception as error:  # why: it is tried again in an hour, and jobs must run
                _log.error("housekeeping of %s failed: %s", name, type(error).__name__)
            else:
                if removed:
                    _log.info("housekeeping of %s: %d removed", name, removed)


def _is_ours(name: str) -> bool:
    """Claim a chore; of any number of runners one gets it."""
    _row, is_first = Chore.objects.get_or_create(pk=name, defaults={"begun_at": timezone.now()})
    due = Chore.objects.filter(pk=name, begun_at__lt=Now() - EVERY)
    return is_first or bool(due.update(begun_at=Now()))
