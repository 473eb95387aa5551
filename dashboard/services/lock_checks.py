"""Checks of locks: who holds, who waits, and whether every holder lives.

A wait is watched from 1 s and bad from 5 s, half of the wait limit that gateways use.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore.locks import HeldLock

from .check import Check, told
from .stores import StoreList

WATCH_WAIT_S = 1.0
BAD_WAIT_S = 5.0
UNEXPLAINED = frozenset({"owner-gone", "pid-reused", "unreadable", "unexplained"})


def locks(stores: StoreList) -> Iterator[Check]:
    if not stores.opened:
        return
    if any(row.locks is None for row in stores.opened):
        yield told(stores, "locks", "unknown", _("Locks could not be looked at in every store."))
        return
    held = [lock for row in stores.opened for lock in row.held]
    odd = [lock for lock in held if lock.verdict in UNEXPLAINED]
    if odd:
        sentence = ngettext(
            "%(n)d lock has no living owner that is known.",
            "%(n)d locks have no living owner that is known.",
            len(odd),
        ) % {"n": len(odd)}
        yield told(stores, "unexplained-locks", "watch", sentence)
    yield told(stores, "locks", "ok", _held_sentence(held))
    yield from _waits(stores, held)


def _held_sentence(held: list[HeldLock]) -> str:
    if not held:
        return _("No lock is held right now.")
    oldest = max((lock.held_s or 0.0 for lock in held), default=0.0)
    return ngettext(
        "%(n)d lock is held right now, for %(age).1f s.",
        "%(n)d locks are held right now, the oldest for %(age).1f s.",
        len(held),
    ) % {"n": len(held), "age": oldest}


def _waits(stores: StoreList, held: list[HeldLock]) -> Iterator[Check]:
    waits = [waiter.waited_s or 0.0 for lock in held for waiter in lock.waiters]
    if not waits:
        yield told(stores, "waits", "ok", _("Nobody waits for a lock right now."))
        return
    longest = max(waits)
    state = "bad" if longest >= BAD_WAIT_S else "watch" if longest >= WATCH_WAIT_S else "ok"
    sentence = ngettext(
        "%(n)d writer waits for a lock, for %(age).1f s.",
        "%(n)d writers wait for a lock, the longest for %(age).1f s.",
        len(waits),
    ) % {"n": len(waits), "age": longest}
    yield told(stores, "waits", state, sentence)
