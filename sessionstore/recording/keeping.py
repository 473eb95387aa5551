"""When a writer tidies up after itself and others: only where nobody else does."""

from __future__ import annotations

from pathlib import Path

from ..errors import SessionStoreError
from ..files import list_names, status_of
from .records import FOLDER, SUFFIX
from .segments import span_of
from .thinning import tidy
from .tiers import HOUR, KEPT_MS

MOST_FILES = 96
MOST_BYTES = 48 << 20


def tidy_if_large(sidecar: Path, *, now_ms: int) -> None:
    """Thin out the reports of a store if they have become many or too old. Raises nothing.

    A console tidies every store that it watches, in a process where a second of computing holds
    up nobody's messages. Without one, writers keep the folder bounded, and no more than that.
    """
    try:
        if _is_large(sidecar / FOLDER, now_ms - KEPT_MS - HOUR):
            tidy(sidecar, now_ms=now_ms)
    except (OSError, SessionStoreError):
        return  # the disk refused a look; the next one is in ten minutes


def _is_large(folder: Path, oldest_ms: int) -> bool:
    names = [name for name in list_names(folder) if name.endswith(SUFFIX)]
    if len(names) > MOST_FILES:
        return True
    size = 0
    for name in names:
        if (status := status_of(folder / name)) is None:
            continue
        size += status.st_size
        span = span_of(name)
        changed_ms = status.st_mtime_ns // 1_000_000
        if (changed_ms if span is None else span.oldest_ms) < oldest_ms:
            return True
    return size > MOST_BYTES
