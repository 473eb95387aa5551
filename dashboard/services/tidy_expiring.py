"""Let go of what runs of the clean-up took away, once the time to take it back has ended."""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings

from dashboard import audit
from dashboard.models import TidyPlan
from sessionstore.errors import SessionStoreError
from sessionstore.maintenance import expire_runs

from .fleet import fleet

_log = logging.getLogger(__name__)


def expire_all_runs(now: datetime) -> int:
    """Remove for good what can no longer be taken back, in every store; returns how many runs.

    A store that fails is logged and keeps no other from its turn. On record: it removes data.
    """
    if settings.READ_ONLY:
        return 0
    expired = 0
    for reader in fleet().scan().readers:
        try:
            freed = expire_runs(reader.paths, now_ms=int(now.timestamp() * 1000))
        except SessionStoreError as error:
            _log.error("runs of store %s: %s", reader.id, type(error).__name__)
            continue
        for run_id, size in freed.items():
            TidyPlan.objects.filter(store_id=reader.id, run_id=run_id).update(held_bytes=0)
            details = {"store": reader.id, "run": run_id, "freed_bytes": size}
            audit.record(None, action="tidy.expire", target=reader.name, details=details)
        expired += len(freed)
    return expired
