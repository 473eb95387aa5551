"""Get a session lock that is not free at once: in line within the process, then in the kernel.

All threads of a process share one descriptor, and to the kernel they are one owner. So for each
session one of them at a time deals with the kernel (it is in ``State.owners``), the others wait
in memory, first come first served. The wait in the kernel has no time limit and happens in a
helper thread. A caller that gives up leaves its helper with the place in ``owners``: others of
this process line up behind it, and get its lock when it comes. If nobody wants it any more, the
helper releases it. So there is never more than one helper per session.
"""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from time import perf_counter_ns

from .hold import Hold
from .state import State
from .timeouts import lock_timeout


def wait_for_key(state: State, hold: Hold) -> None:
    """Get the lock or raise; on any error nothing stays behind.

    Raises:
        LockTimeoutError: the deadline passed.
    """
    is_first = state.owners.get(hold.offset) is hold
    hold.prepare_to_wait(threading.Lock())
    try:
        state.table.publish_wait(hold)
        if not is_first:
            wait_in_line(state, hold)
        if not hold.granted:
            _wait_in_kernel(state, hold, try_first=not is_first)
    except BaseException:
        state.table.clear(hold)
        give_up(state, hold)
        raise


def wait_in_line(state: State, hold: Hold) -> None:
    """Wait until no thread before us wants this offset."""
    offset = hold.offset
    with state.guard:
        state.queues.setdefault(offset, deque()).append(hold)
        _call_next(state, offset)
    is_called = _sleep(hold)
    hold.queued_ns = perf_counter_ns() - hold.asked_ns
    if is_called:
        return
    with state.guard:
        if state.owners.get(offset) is hold:
            return  # it came at the last moment
    raise lock_timeout(state.sidecar, hold)


def _sleep(hold: Hold) -> bool:
    left_s = min(max(hold.left_s(), 0.0), threading.TIMEOUT_MAX)
    return hold.gate.acquire(timeout=left_s)


def _wait_in_kernel(state: State, hold: Hold, *, try_first: bool) -> None:
    inside = state.holds_other(hold)
    if inside:
        if state.kernel.try_key_inside(hold.offset):
            return
    elif try_first and state.kernel.try_key(hold.offset):
        return
    if hold.left_s() <= 0:
        raise lock_timeout(state.sidecar, hold)
    if not hold.gate.locked():
        hold.gate.acquire()
    hold.helped = True
    try:
        state.helpers.run(partial(_wait_as_helper, state, hold, inside))
    except RuntimeError:
        hold.helped = False  # the system starts no more threads
        raise
    if not _sleep(hold):
        with state.guard:
            if not hold.granted and hold.error is None:
                hold.abandoned = True
                hold.thread = 0  # the caller may come again; the place is the helper's now
        if hold.abandoned:
            raise lock_timeout(state.sidecar, hold)
    if hold.error is not None:
        raise hold.error


def _wait_as_helper(state: State, hold: Hold, inside: bool) -> None:
    error: BaseException | None = None
    try:
        state.kernel.wait_key(hold.offset, inside=inside)
    except BaseException as raised:  # it belongs to the caller, if there still is one
        error = raised
    with state.guard:
        if not hold.abandoned:
            hold.error, hold.granted = error, error is None
            hold.gate.release()
        elif state.owners.get(hold.offset) is hold:
            _dispose(state, hold, obtained=error is None)


def _dispose(state: State, hold: Hold, *, obtained: bool) -> None:
    """Give what an abandoned helper obtained to the next in line, or release it."""
    queue = state.queues.get(hold.offset)
    if queue and obtained:
        heir = _pop(state, queue, hold.offset)
        heir.granted = True
        state.owners[hold.offset] = heir
        heir.gate.release()
        return
    if obtained:
        state.kernel.free_key(hold.offset)
    del state.owners[hold.offset]
    _call_next(state, hold.offset)


def give_up(state: State, hold: Hold) -> None:
    """Undo what a call that ends with an error has obtained so far."""
    with state.guard:
        queue = state.queues.get(hold.offset)
        if queue is not None and hold in queue:
            queue.remove(hold)
            if not queue:
                del state.queues[hold.offset]
        if state.owners.get(hold.offset) is not hold or hold.abandoned:
            return
        if hold.helped and not hold.granted and hold.error is None:
            hold.abandoned, hold.thread = True, 0
            return
        if hold.granted:
            state.kernel.free_key(hold.offset)
        del state.owners[hold.offset]
        _call_next(state, hold.offset)


def leave(state: State, offset: int) -> None:
    """Give up the place in memory, after the kernel's lock has been released."""
    if offset in state.queues:
        with state.guard:
            queue = state.queues.get(offset)
            if queue:
                heir = _pop(state, queue, offset)
                state.owners[offset] = heir
                heir.gate.release()
                return
    state.owners.pop(offset, None)
    if offset in state.queues:
        # One lined up while the owner was still there and after we looked.
        with state.guard:
            _call_next(state, offset)


def _call_next(state: State, offset: int) -> None:
    """Let the first in line have the place, if it is free. The guard is held."""
    queue = state.queues.get(offset)
    if queue:
        head = queue[0]
        if state.owners.setdefault(offset, head) is head:
            _pop(state, queue, offset)
            head.gate.release()


def _pop(state: State, queue: deque[Hold], offset: int) -> Hold:
    head = queue.popleft()
    if not queue:
        del state.queues[offset]
    return head
