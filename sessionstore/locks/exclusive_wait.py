"""Wait for exclusive mode without stopping the sessions for longer than needed.

With the turnstile shut, nobody new gets in and the sessions that are locked run out: normally
within a millisecond or two. If one of them is held for long, a shut turnstile would make all
other sessions wait for it. So it is shut for at most half a second at a time, then open for a
while, while the wait for the sessions' range goes on.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

from .helpers import Helpers, Job
from .hold import Hold
from .kernel import Attempt
from .timeouts import lock_timeout

SHUT_S = 0.5
_OPEN_S = 0.25
_MAX_OPEN_S = 2.0


class Pending:
    """An attempt, with the helper calls in progress for it."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.take: Job | None = None
        self.shut: Job | None = None
        self.is_taken = False


class Parking:
    """Keeps an attempt whose caller gave up for the next caller of this process.

    Its helper still waits in the kernel; without this, each caller that gives up while one
    session is stuck would leave another helper behind.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._parked: Pending | None = None

    def adopt(self) -> Pending | None:
        """The parked attempt, if there is one; it is the caller's now."""
        with self._guard:
            pending, self._parked = self._parked, None
            return pending

    def park(self, pending: Pending) -> None:
        """Keep an attempt that may still obtain the store, or end it."""
        shut_ended = pending.shut is None or pending.shut.is_done
        with self._guard:
            if pending.take and shut_ended and not pending.is_taken and self._parked is None:
                pending.attempt.reopen()
                self._parked = pending
                return
        pending.attempt.close()

    def wait_and_note(self, pending: Pending) -> None:
        """Wait for the sessions' range, in a helper; release it if nobody wants it now."""
        pending.attempt.take()
        with self._guard:
            pending.is_taken = True
            if self._parked is not pending:
                return
            self._parked = None
        pending.attempt.close()

    def close(self) -> None:
        """End the parked attempt."""
        pending = self.adopt()
        if pending is not None:
            pending.attempt.close()


def wait_for_store(
    pending: Pending, hold: Hold, *, helpers: Helpers, parking: Parking, sidecar: Path
) -> None:
    """Return once exclusive mode is held.

    Raises:
        LockTimeoutError: the deadline passed; the turnstile is open again.
    """
    attempt = pending.attempt
    open_s = _OPEN_S
    while True:
        pending.shut = helpers.submit(attempt.shut)
        if not pending.shut.wait(hold.left_s()):
            break
        if pending.take is None:
            pending.take = helpers.submit(partial(parking.wait_and_note, pending))
        if pending.take.wait(min(SHUT_S, hold.left_s())):
            return
        attempt.reopen()
        if pending.take.wait(min(open_s, hold.left_s())):
            return
        if hold.left_s() <= 0:
            break
        open_s = min(open_s * 2, _MAX_OPEN_S)
    raise lock_timeout(sidecar, hold)
