"""A store as it is opened for a change, and how long such changes have waited for locks."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore.recording import reporter_of
from sessionstore.store import Store, open_store

from .amounts import duration
from .readers import Reader


def typical_wait(reader: Reader) -> str:
    """How long this process has waited for locks of this store before, in words."""
    # For as long as the process lives, since a median needs a past.
    wait = reporter_of(reader.paths.sidecar).waits()
    median, most = wait.percentile(0.5), wait.percentile(0.95)
    if median is None or most is None:
        return _("Nothing was measured yet: this is the first change here since the start.")
    said = ngettext(
        "The only change from here since the start waited %(most)s.",
        "Of the last %(count)d changes from here, half waited at most %(median)s, "
        "and 95%% at most %(most)s.",
        wait.count,
    )
    return said % {
        "count": wait.count,
        "median": duration(median / 1e6),
        "most": duration(most / 1e6),
    }


def opened_for_change(reader: Reader, wait_s: float) -> Store:
    """Open a store for an operator's change, which is rare and must survive a power cut."""
    return open_store(
        reader.paths.store_path,
        durability="strict",
        timeout=wait_s,
        gateway_lock_dir=settings.GATEWAY_LOCK_DIR,
    )
