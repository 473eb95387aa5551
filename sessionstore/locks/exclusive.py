"""Exclusive mode: one holder, and no session locked by anybody."""

from __future__ import annotations

import threading

from .exclusive_wait import Pending, wait_for_store
from .hold import STORE_OFFSET, Hold
from .queueing import give_up, leave, wait_in_line
from .state import State
from .timeouts import lock_timeout


def acquire_store(state: State, hold: Hold) -> None:
    """Get the whole store, or raise; on any error nothing stays behind.

    Raises:
        LockTimeoutError: the deadline passed.
    """
    is_first = state.owners.setdefault(STORE_OFFSET, hold) is hold
    hold.prepare_to_wait(threading.Lock())
    try:
        if not is_first:
            state.table.publish_wait(hold)
            wait_in_line(state, hold)
        _acquire_attempt(state, hold, is_first=is_first)
    except BaseException:
        state.table.clear(hold)
        give_up(state, hold)
        raise


def _acquire_attempt(state: State, hold: Hold, *, is_first: bool) -> None:
    parked = state.parking.adopt()
    pending = parked or Pending(state.kernel.open_attempt())
    try:
        if parked is None and pending.attempt.try_all():
            hold.contended = not is_first
        else:
            if hold.left_s() <= 0:
                raise lock_timeout(state.sidecar, hold)
            state.table.publish_wait(hold)
            wait_for_store(
                pending,
                hold,
                helpers=state.helpers,
                parking=state.parking,
                sidecar=state.sidecar,
            )
    except BaseException:
        state.parking.park(pending)
        raise
    hold.attempt = pending.attempt


def release_store(state: State, hold: Hold) -> None:
    """Let the sessions go on."""
    attempt, hold.attempt = hold.attempt, None
    state.table.clear(hold)
    try:
        if attempt is not None:
            attempt.close()
    finally:
        leave(state, STORE_OFFSET)
