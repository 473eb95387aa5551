"""A store as it is opened for a change, and how long such changes have waited for locks."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as _

from sessionstore.metrics import StoreMetrics
from sessionstore.store import Store, open_store

from .readers import Reader

# What this process has measured, by store: for as long as it lives, since a median needs a past.
_own: dict[str, StoreMetrics] = {}


def typical_wait(reader: Reader) -> str:
    """How long this process has waited for locks of this store before, in words."""
    metrics = _own.get(reader.id)
    wait = metrics.total().wait if metrics else None
    median, most = (wait.percentile(0.5), wait.percentile(0.95)) if wait else (None, None)
    if wait is None or median is None or most is None:
        return _("Nothing was measured yet: this is the first change here since the start.")
    return _(
        "Of the last %(count)d changes from here, half waited under %(median).1f ms "
        "and 95%% under %(most).1f ms."
    ) % {"count": wait.count, "median": median / 1e6, "most": most / 1e6}


def opened_for_change(reader: Reader, wait_s: float) -> Store:
    """Open a store for an operator's change, which is rare and must survive a power cut."""
    return open_store(
        reader.paths.store_path,
        recorder=_own.setdefault(reader.id, StoreMetrics()),
        durability="strict",
        timeout=wait_s,
        gateway_lock_dir=settings.GATEWAY_LOCK_DIR,
    )
