"""The locks of one store, as one process uses them."""

from __future__ import annotations

import errno
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter_ns

from ..errors import LockTimeoutError, SessionStoreError, StoreIOError
from ..files import io_error
from ..keys import lock_offset
from ..recorder import Outcome
from . import flockfiles, ranges
from .contexts import KeyContext, KeysContext, StoreContext
from .exclusive import acquire_store, release_store
from .hold import STORE_OFFSET, Hold, refuse_reentry
from .lockfile import NAME, check_protocol, read_protocol
from .ofd import IS_SUPPORTED
from .queueing import give_up, leave, wait_for_key
from .state import State

Told = Callable[[str, Outcome, int, int, int, bool], None]
"""Operation, outcome, nanoseconds of wait, hold and queue, and whether it was contended."""

# Only for the fork handler below, which cannot be registered per object and taken back.
_OPEN: weakref.WeakSet[StoreLocks] = weakref.WeakSet()


def open_locks(
    sidecar: Path,
    *,
    protocol: str | None = None,
    program: str | None = None,
    told: Told | None = None,
) -> StoreLocks:
    """The locks of the store with this sidecar. Nothing is created until the first lock.

    ``protocol`` None means the best one of this system; ``program`` is the name under which
    holders are shown. ``told`` is called once for each use of exclusive mode, after it.

    Raises:
        UnsupportedStoreError: the store's lock file names another protocol.
    """
    chosen = protocol or (ranges.PROTOCOL if IS_SUPPORTED else flockfiles.PROTOCOL)
    check_protocol(sidecar / NAME, read_protocol(sidecar), chosen)
    return StoreLocks(sidecar, chosen, program, told)


class StoreLocks:
    """Session locks and exclusive mode of one store. Thread-safe and fork-safe.

    A forked child holds nothing; its first lock opens everything anew.
    """

    def __init__(
        self, sidecar: Path, protocol: str, program: str | None, told: Told | None = None
    ) -> None:
        self.sidecar = sidecar
        self._told = told
        self.protocol = protocol
        self._program = program
        self._state: State | None = None
        self._opening = threading.Lock()
        self._finalizer: weakref.finalize[..., StoreLocks] | None = None
        _OPEN.add(self)

    def acquire(
        self,
        key: str,
        operation: str,
        timeout: float,
        *,
        reenter: bool = False,
        offset: int | None = None,
    ) -> Hold:
        """Lock one session; ``key`` is folded already. Waits at most ``timeout`` seconds.

        ``offset`` is the key's lock offset where the caller has it at hand. With ``reenter`` a
        thread that holds the session, or the whole store, gets in again.

        Raises:
            LockTimeoutError: the deadline passed while waiting for threads or processes.
            LockReentryError: this thread holds the session or the store already.
            StoreIOError: the lock file cannot be opened or locked.
        """
        state = self._state or self._open()
        hold = Hold(state, key, lock_offset(key) if offset is None else offset, operation, timeout)
        owners = state.owners
        if STORE_OFFSET in owners and (outer := _own_store_hold(state, hold, reenter)):
            return outer
        owner = owners.setdefault(hold.offset, hold)
        if owner is not hold and owner.thread == hold.thread:
            if not reenter:
                raise refuse_reentry(hold, owner)
            owner.depth += 1
            return owner
        if owner is not hold or not self._try_key(state, hold):
            self._wait(state, hold)
        hold.acquired_ns = perf_counter_ns()
        try:
            state.table.publish(hold)
        except BaseException:
            # Nobody else could ever release what this call holds.
            state.table.clear(hold)
            _release_key(state, hold)
            raise
        return hold

    def _try_key(self, state: State, hold: Hold) -> bool:
        try:
            return state.kernel.try_key(hold.offset)
        except BaseException as error:
            hold.prepare_to_wait(threading.Lock())
            hold.granted = True  # it may be: an interruption can come after the system call
            give_up(state, hold)
            raise self._as_store_error(error) from error

    def _wait(self, state: State, hold: Hold) -> None:
        """Wait for a lock that is not free; on any error nothing stays behind."""
        try:
            wait_for_key(state, hold)
        except (OSError, RuntimeError) as error:
            raise self._as_store_error(error) from error

    def _as_store_error(self, error: BaseException) -> BaseException:
        """Errors of the system with the path and a hint; others as they are."""
        if isinstance(error, SessionStoreError):
            return error
        if isinstance(error, OSError):
            return io_error("lock", self.sidecar / NAME, error)
        if isinstance(error, RuntimeError):
            return StoreIOError(
                f"cannot wait for {self.sidecar / NAME}: {error}",
                errno=errno.EAGAIN,
                path=self.sidecar / NAME,
                hint="the system starts no more threads",
            )
        return error

    def release(self, hold: Hold) -> None:
        """Release a hold. After a fork, in the child, this does nothing."""
        state = hold.home
        offset = hold.offset
        if state.owners.get(offset) is not hold:
            return
        if hold.depth:
            hold.depth -= 1
            return
        if not offset:
            self._release_store(state, hold)
            return
        try:
            state.table.clear(hold)
        finally:
            _release_key(state, hold)

    def key(
        self,
        key: str,
        operation: str,
        timeout: float,
        *,
        reenter: bool = False,
        offset: int | None = None,
    ) -> KeyContext:
        """:meth:`acquire` and :meth:`release` as a context manager."""
        return KeyContext(self, key, operation, timeout, reenter=reenter, offset=offset)

    def keys(self, keys: Iterable[str], operation: str, timeout: float) -> KeysContext:
        """Lock several sessions, in the order of their offsets, which excludes deadlock."""
        return KeysContext(self, keys, operation, timeout)

    def exclusive(self, operation: str, timeout: float) -> StoreContext:
        """Lock the whole store: nobody holds a session meanwhile. Keep it for milliseconds."""
        return StoreContext(self, operation, timeout)

    def _release_store(self, state: State, hold: Hold) -> None:
        held_ns = perf_counter_ns() - hold.acquired_ns
        release_store(state, hold)
        if self._told is not None and hold.is_told:
            wait_ns = hold.acquired_ns - hold.asked_ns
            queued_ns, contended = hold.queued_ns, hold.contended
            self._told(hold.operation, "held", wait_ns, held_ns, queued_ns, contended)

    def _tell_timeout(self, hold: Hold, error: LockTimeoutError) -> None:
        if self._told is not None and hold.is_told:
            wait_ns = int(max(error.waited_s, hold.timeout) * 1e9)
            self._told(hold.operation, "timeout", wait_ns, 0, hold.queued_ns, True)

    def acquire_exclusive(self, operation: str, timeout: float, *, tell: bool = True) -> Hold:
        """Lock the whole store; :meth:`release` ends it.

        ``tell`` False: the caller reports it itself.

        Raises:
            LockTimeoutError: the deadline passed.
            LockReentryError: this thread holds a session or the store already.
        """
        state = self._state or self._open()
        hold = Hold(state, None, STORE_OFFSET, operation, timeout)
        hold.is_told = tell
        for owner in list(state.owners.values()):
            if owner.thread == hold.thread:
                raise refuse_reentry(hold, owner)
        try:
            acquire_store(state, hold)
        except LockTimeoutError as error:
            self._tell_timeout(hold, error)
            raise
        except (OSError, RuntimeError) as error:
            raise self._as_store_error(error) from error
        hold.acquired_ns = perf_counter_ns()
        try:
            state.table.publish(hold)
        except BaseException:
            release_store(state, hold)
            raise
        return hold

    def is_current(self) -> bool:
        """Whether the lock file at the path is still the one that is locked here."""
        state = self._state
        return state is None or state.kernel.is_current()

    def is_valid(self, hold: Hold) -> bool:
        """Whether the hold is on the lock file in use now; see :meth:`abandon`."""
        return hold.home is self._state

    def abandon(self) -> None:
        """Use the lock file that is at the path now; the one in use was removed or replaced.

        Holds on the old one stay with their threads, which must look at :meth:`is_valid` before
        they write: they no longer exclude anybody.
        """
        with self._opening:
            self._state = None
            self._finalizer = None  # still registered: it closes the old state at the end

    def close(self) -> None:
        """Release everything and remove the live table. The next lock opens anew."""
        with self._opening:
            self._state = None
            if self._finalizer is not None:
                self._finalizer()
                self._finalizer = None

    def _open(self) -> State:
        with self._opening:
            if self._state is None:
                state = State(self.sidecar, self.protocol, self._program)
                self._finalizer = weakref.finalize(self, state.close)
                self._state = state
            return self._state

    def _forget_after_fork(self) -> None:
        self._opening = threading.Lock()
        state, self._state = self._state, None
        finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer.detach()
        if state is not None:
            state.forget_after_fork()


def _own_store_hold(state: State, hold: Hold, reenter: bool) -> Hold | None:
    """The exclusive hold of this thread, entered once more; None when it has none."""
    outer = state.owners.get(STORE_OFFSET)
    if outer is None or outer.thread != hold.thread:
        return None
    if not reenter:
        raise refuse_reentry(hold, outer)
    outer.depth += 1
    return outer


def _release_key(state: State, hold: Hold) -> None:
    try:
        state.kernel.free_key(hold.offset)
    finally:
        # After the kernel's lock: the next thread here is the same owner to the kernel.
        leave(state, hold.offset)


def _forget_all_after_fork() -> None:
    for locks in list(_OPEN):
        locks._forget_after_fork()


os.register_at_fork(after_in_child=_forget_all_after_fork)
