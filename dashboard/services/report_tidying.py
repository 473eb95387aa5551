"""Thin out what writers report, in a process where a second of computing holds up nobody."""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings

from sessionstore.errors import SessionStoreError
from sessionstore.recording.thinning import thin

from .fleet import fleet

_log = logging.getLogger(__name__)

_MOST_CALLS = 20
"""Each reads some 16 MiB: more than an hour of any store brings."""


def tidy_all_reports(now: datetime) -> int:
    """Make old reports coarser and remove those that are too old, in every store.

    Returns how many files went. A store that fails is logged and keeps no other from its turn.
    """
    if settings.READ_ONLY:
        return 0
    removed = 0
    for reader in fleet().scan().readers:
        try:
            for _ in range(_MOST_CALLS):
                done = thin(reader.paths.sidecar, now_ms=int(now.timestamp() * 1000))
                if done is None or not (done.made or done.dropped):
                    break
                removed += len(done.sources) + len(done.dropped)
        except (SessionStoreError, OSError) as error:
            _log.error("reports of store %s: %s", reader.id, type(error).__name__)
    return removed
