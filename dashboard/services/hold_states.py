"""How long a lock may be held before it is watched or bad: one rule for every page.

A lock that says for how long its holder may keep it goes by that (rule ``current-hold``), any other
by its age (rule ``locks``). The limits are those that an admin set, else the defaults.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from sessionstore.locks import HeldLock, Waiter

from .check_judging import Figure, grade
from .threshold_changes import limits_now
from .thresholds import RULES, Limits

_OWN_SCOPES = ("session", "store")
_NEAR = 0.5


def share_of(amount: float, limit: float | None) -> float | None:
    """How much of a limit is used; None where there is none."""
    if limit is None or not math.isfinite(limit) or limit <= 0:
        return None
    return amount / limit


def outlasted(lock: HeldLock) -> Waiter | None:
    """Who of those that wait may have to give up before the holder has to let go, if anybody.

    The limit of this library's own locks is that of the holder's whole call, which usually takes
    milliseconds of it: there it counts once the hold has used up half of a waiter's patience. A
    person's edit that waits for two seconds is no incident by itself.
    """
    limit_s = lock.limit_s or 0.0
    least = min(lock.waiters, key=lambda waiter: waiter.timeout_s, default=None)
    if least is None or least.timeout_s >= limit_s:
        return None
    is_near = lock.scope not in _OWN_SCOPES or lock.held_s > _NEAR * least.timeout_s
    return least if is_near else None


def hold_state(lock: HeldLock, limits: Mapping[str, Limits] | None = None) -> str:
    """``ok``, ``watch`` or ``bad``; without ``limits`` they are looked up, by one query."""
    known = limits_now() if limits is None else limits
    share = share_of(lock.held_s, lock.limit_s)
    name, value = ("locks", lock.held_s) if share is None else ("current-hold", share)
    breach = lock.verdict == "over-limit" or (share is not None and outlasted(lock) is not None)
    figure = Figure(name, "", "", "", value, value, breach=breach)
    return grade(RULES[name], known[name], figure)
