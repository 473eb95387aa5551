"""What one process has open for one store's locks. A forked child starts with none of it."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

from ..errors import UnsupportedStoreError
from . import flockfiles, ranges
from .exclusive_wait import Parking
from .helpers import Helpers
from .hold import Hold
from .identity import own_identity
from .kernel import Kernel
from .table import Table, open_table
from .tables import read_tables

PROTOCOLS = (ranges.PROTOCOL, flockfiles.PROTOCOL)


class State:
    """Open descriptors, and who in this process holds or awaits what.

    ``owners`` maps a lock offset to the hold that has it or deals with the kernel for it. It is
    changed by single dictionary operations, which the interpreter makes atomic; ``queues``, the
    threads in line behind an owner, only under ``guard``.
    """

    __slots__ = (
        "__weakref__",
        "guard",
        "helpers",
        "is_open",
        "kernel",
        "owners",
        "parking",
        "queues",
        "sidecar",
        "table",
    )

    def __init__(self, sidecar: Path, protocol: str, program: str | None) -> None:
        self.sidecar = sidecar
        self.owners: dict[int, Hold] = {}
        self.queues: dict[int, deque[Hold]] = {}
        self.guard = threading.Lock()
        self.helpers = Helpers()
        self.parking = Parking()
        self.kernel: Kernel = open_kernel(sidecar, protocol)
        try:
            # Readers sweep as well; this keeps a store without a console from gathering litter.
            read_tables(sidecar, sweep=True)
            self.table: Table = open_table(sidecar, own_identity(program), protocol)
        except BaseException:
            self.kernel.close()
            raise
        self.is_open = True

    def holds_other(self, hold: Hold) -> bool:
        """Whether the thread of ``hold`` holds something else of this store."""
        return any(
            owner is not hold and owner.thread == hold.thread
            for owner in list(self.owners.values())
        )

    def close(self) -> None:
        """Release everything."""
        if self.is_open:
            self.is_open = False
            self.owners.clear()
            self.parking.close()
            self.table.close()
            self.kernel.close()

    def forget_after_fork(self) -> None:
        """In a forked child: close the copies, touch nothing of the parent's."""
        if self.is_open:
            self.is_open = False
            self.owners.clear()
            self.table.forget_after_fork()
            self.kernel.forget_after_fork()


def open_kernel(sidecar: Path, protocol: str) -> Kernel:
    """The implementation of a protocol."""
    if protocol == ranges.PROTOCOL:
        return ranges.Ranges(sidecar)
    if protocol == flockfiles.PROTOCOL:
        return flockfiles.FlockFiles(sidecar)
    raise UnsupportedStoreError(
        f"there is no lock protocol {protocol!r}",
        path=sidecar,
        hint=f"known are {', '.join(PROTOCOLS)}",
    )
