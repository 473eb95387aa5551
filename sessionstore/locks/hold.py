"""One held (or awaited) lock, and what a holder can do with it."""

from __future__ import annotations

from threading import get_ident
from time import perf_counter_ns
from typing import TYPE_CHECKING

from ..errors import LockReentryError

if TYPE_CHECKING:
    import threading

    from .kernel import Attempt
    from .state import State

STORE_OFFSET = 0


class Hold:
    """A lock that one call asked for. ``key`` is None for the whole store.

    ``asked_ns`` and ``acquired_ns`` are ``perf_counter_ns`` stamps: their difference is the
    wait. ``contended`` says that the lock was not free at once; only then is there a
    ``queued_ns``: how much of the wait was behind other threads of this process. The other
    fields belong to this package, and to whoever times what is done under the lock (see
    ``files.Marks``).
    """

    __slots__ = (
        "abandoned",
        "acquired_ns",
        "asked_ns",
        "attempt",
        "contended",
        "depth",
        "error",
        "folder_sync_ns",
        "gate",
        "granted",
        "helped",
        "home",
        "is_told",
        "key",
        "offset",
        "operation",
        "queued_ns",
        "slot",
        "staged_ns",
        "sync_ns",
        "thread",
        "timeout",
    )
    is_told: bool  # set for the whole store alone
    staged_ns: int
    sync_ns: int
    folder_sync_ns: int

    def __init__(
        self, home: State, key: str | None, offset: int, operation: str, timeout: float
    ) -> None:
        self.home = home
        self.key = key
        self.offset = offset
        self.operation = operation
        self.timeout = timeout
        self.thread = get_ident()
        self.depth = 0  # further entries by the same thread
        self.slot = -1  # place in the live table
        self.contended = False
        self.acquired_ns = 0
        self.asked_ns = perf_counter_ns()

    def __repr__(self) -> str:
        what = "the whole store" if self.key is None else repr(self.key)
        return f"<Hold of {what} for {self.operation}>"

    def left_s(self) -> float:
        """Seconds until the deadline; negative once it has passed."""
        return self.timeout - (perf_counter_ns() - self.asked_ns) / 1e9

    def prepare_to_wait(self, gate: threading.Lock) -> None:
        """Set the fields that only a contended hold needs."""
        self.contended = True
        self.queued_ns = 0
        self.granted = False  # a helper got the kernel's lock for us
        self.helped = False  # a helper is at work for us
        self.abandoned = False  # the caller gave up while a helper was at work
        self.error: BaseException | None = None
        self.gate = gate
        self.attempt: Attempt | None = None  # exclusive mode's own descriptors
        gate.acquire()


def refuse_reentry(hold: Hold, owner: Hold) -> LockReentryError:
    """The error for a thread that would wait for itself."""
    wanted = "the whole store" if hold.key is None else f"session {hold.key!r}"
    held = "the whole store" if owner.key is None else f"session {owner.key!r}"
    return LockReentryError(
        f"this thread already holds {held} for {owner.operation}, so waiting for {wanted} "
        f"for {hold.operation} would never end",
        key=hold.key,
        hint="finish the outer operation first, or pass reenter=True where nesting is meant",
    )
