"""Locks between processes and threads: sessions, the whole store, and who holds them.

The lock protocol is part of the on-disk format. :mod:`.ranges` (Linux) and :mod:`.flockfiles`
(elsewhere) state the two protocols; a store's lock file names its own, and no process uses a
store with another one. Kernel locks only: a dead process holds nothing, so nothing goes stale,
nothing is ever stolen and no clean-up exists.
"""

from __future__ import annotations

from .filejudging import FileScope
from .flockfiles import PROTOCOL as FLOCK_FILES
from .gateway import GatewayInfo, gateway_running
from .heldlock import HeldLock, Scope, Verdict, Waiter
from .hold import Hold
from .holders import LockView, held_locks, view_locks
from .identity import name_program
from .legacylock import LegacyLock, sweep_legacy_lock
from .ranges import PROTOCOL as OFD_RANGES
from .storelocks import StoreLocks, open_locks

__all__ = [
    "FLOCK_FILES",
    "OFD_RANGES",
    "FileScope",
    "GatewayInfo",
    "HeldLock",
    "Hold",
    "LegacyLock",
    "LockView",
    "Scope",
    "StoreLocks",
    "Verdict",
    "Waiter",
    "gateway_running",
    "held_locks",
    "name_program",
    "open_locks",
    "sweep_legacy_lock",
    "view_locks",
]
