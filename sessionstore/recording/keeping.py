"""When a writer tidies up after itself and others: only where nobody else does."""

from __future__ import annotations

from pathlib import Path

from ..errors import SessionStoreError
from ..files import list_names, status_of
from .records import FOLDER, SUFFIX
from .thinning import tidy

MOST_FILES = 96
MOST_BYTES = 48 << 20


def tidy_if_large(sidecar: Path, *, now_ms: int) -> None:
    """Thin out the reports of a store if they have become many. Raises nothing.

    A console tidies every store that it watches, in a process where a second of computing holds
    up nobody's messages. Without one, writers keep the folder bounded, and no more than that.
    """
    try:
        if _is_large(sidecar / FOLDER):
            tidy(sidecar, now_ms=now_ms)
    except (OSError, SessionStoreError):
        return  # the disk refused a look; the next one is in ten minutes


def _is_large(folder: Path) -> bool:
    names = [name for name in list_names(folder) if name.endswith(SUFFIX)]
    if len(names) > MOST_FILES:
        return True
    found = (status_of(folder / name) for name in names)
    return sum(status.st_size for status in found if status is not None) > MOST_BYTES
