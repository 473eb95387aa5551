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
from typing import Literal

from .helpers import Helpers, Job
from .hold import Hold
from .kernel import Attempt
from .timeouts import lock_timeout

SHUT_S = 0.5
_OPEN_S = 0.25
_MAX_OPEN_S = 2.0


class Pending:
    """An attempt, with the state of its turnstile and the helper that waits for the sessions."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.turnstile: Literal["open", "shutting", "shut"] = "open"
        self.take: Job | None = None
        self.is_taken = False

    def shut(self) -> None:
        """Wait for the turnstile; runs in a helper."""
        self.attempt.shut()
        self.turnstile = "shut"

    def reopen(self) -> None:
        """Let sessions pass; only once the turnstile is shut."""
        self.attempt.reopen()
        self.turnstile = "open"


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
        with self._guard:
            can_wait = pending.take is not None and not pending.is_taken
            if can_wait and pending.turnstile != "shutting" and self._parked is None:
                pending.reopen()
                self._parked = pending
                return
        pending.attempt.close()

    def shut_and_take(self, pending: Pending) -> None:
        """Wait for both, in one helper; release it all if nobody wants it any more."""
        pending.shut()
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
        LockTimeoutError: the deadline passed.
    """
    open_s = _OPEN_S
    while hold.left_s() > 0:
        _start_to_shut(pending, helpers, parking)
        if _is_taken(pending, min(SHUT_S, hold.left_s())):
            return
        if pending.turnstile == "shut":
            pending.reopen()
            if _is_taken(pending, min(open_s, hold.left_s())):
                return
            open_s = min(open_s * 2, _MAX_OPEN_S)
    raise lock_timeout(sidecar, hold)


def _start_to_shut(pending: Pending, helpers: Helpers, parking: Parking) -> None:
    if pending.turnstile == "open":
        pending.turnstile = "shutting"
        if pending.take is None:
            pending.take = helpers.submit(partial(parking.shut_and_take, pending))
        else:
            helpers.submit(pending.shut)


def _is_taken(pending: Pending, timeout_s: float) -> bool:
    return pending.take is not None and pending.take.wait(timeout_s)
