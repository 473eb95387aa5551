"""Waiting for a session's lock while a page counts down, a second at a time."""

from __future__ import annotations

import time

from django.core import signing

from .edit_look import lock_of

CHOICES_S = (10, 30, 60, 120)
"""How long people may choose to wait."""
STEP_S = 1.0
"""How long one request of a page without scripts looks for the lock to be free."""
TRY_S = 0.25
"""How long one try waits for the lock, once it looks free."""
_SALT = "dashboard.edit.deadline"
_LOOKS = 5


def deadline_after(seconds: int, *, store_id: str, ref: str) -> str:
    """A signed deadline for this session, so many seconds from now."""
    return signing.dumps([store_id, ref, seconds, time.time() + seconds], salt=_SALT)


def left_of(text: str, *, store_id: str, ref: str) -> tuple[int, float]:
    """(seconds chosen, seconds left) of a deadline; nothing is left of one that is not ours."""
    try:
        whose, which, chosen, until = signing.loads(text, salt=_SALT)
    except (signing.BadSignature, ValueError):
        return 0, 0.0
    if (whose, which) != (store_id, ref):
        return 0, 0.0
    return int(chosen), max(0.0, float(until) - time.time())


def chosen_s(text: str) -> int:
    """How long somebody chose to wait; the shortest time for anything else."""
    return int(text) if text in {str(seconds) for seconds in CHOICES_S} else CHOICES_S[0]


def is_free_within(store_id: str, key: str, seconds: float) -> bool:
    """Whether the lock is free by then, as far as can be seen; looks a few times a second.

    A look is no try: it is not in the audit, and takes no place in the queue.
    """
    until = time.monotonic() + seconds
    while lock_of(store_id, key) is not None:
        if time.monotonic() >= until:
            return False
        time.sleep(seconds / _LOOKS)
    return True
