"""Recording what updates cost, in the process that makes them."""

from __future__ import annotations

import threading
from pathlib import Path

from .. import locks
from . import flusher
from .reporter import Reporter

_MOST_REPORTERS = 4096

_reporters: dict[Path, Reporter] = {}
_guard = threading.Lock()


def reporter_of(sidecar: Path) -> Reporter:
    """This process's reporter of the store with this sidecar; the same one each time.

    Creates nothing: the first update that is told does.
    """
    found = _reporters.get(sidecar)
    if found is None:
        with _guard:
            if len(_reporters) >= _MOST_REPORTERS:
                oldest = _reporters.pop(next(iter(_reporters)))
                oldest.close()
                flusher.forget(oldest)
            found = _reporters.setdefault(sidecar, Reporter(sidecar))
    return found


def open_reported_locks(sidecar: Path) -> locks.StoreLocks:
    """The store's locks, whose exclusive mode is reported. For who does not go through a store."""
    return locks.open_locks(sidecar, told=reporter_of(sidecar).exclusive)
