"""Checks of locks: who holds, who waits, and whether every holder lives.

A wait is watched from 1 s and bad from 5 s, half of the wait limit that gateways use; a hold is
watched from 5 s and bad from 10 s, when those who wait for it have given up.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore.entries import redact
from sessionstore.locks import HeldLock

from .amounts import duration
from .check import Check, told
from .runs import BAD_HOLD_S, WATCH_HOLD_S
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
    yield _held(stores, held)
    yield from _waits(stores, held)


def _held(stores: StoreList, held: list[HeldLock]) -> Check:
    if not held:
        return told(stores, "locks", "ok", _("No lock is held right now."))
    oldest = max(held, key=lambda lock: lock.held_s)
    age_s = oldest.held_s
    state = "bad" if age_s >= BAD_HOLD_S else "watch" if age_s >= WATCH_HOLD_S else "ok"
    sentence = ngettext(
        "%(n)d lock is held right now, for %(age)s.",
        "%(n)d locks are held right now, the oldest for %(age)s.",
        len(held),
    ) % {"n": len(held), "age": duration(age_s * 1000)}
    detail = "" if state == "ok" else _who(oldest)
    return told(stores, "locks", state, sentence, detail, "sessions", "locked=yes&machine=yes")


def _who(lock: HeldLock) -> str:
    return _("%(program)s, process %(pid)d on %(host)s, for %(operation)s: %(what)s.") % {
        "program": lock.program or _("unknown program"),
        "pid": lock.pid,
        "host": lock.host or _("this host"),
        "operation": lock.operation or _("an update"),
        "what": redact(lock.key) if lock.key else _("the whole store"),
    }


def _waits(stores: StoreList, held: list[HeldLock]) -> Iterator[Check]:
    waits = [waiter.waited_s or 0.0 for lock in held for waiter in lock.waiters]
    if not waits:
        yield told(stores, "waits", "ok", _("Nobody waits for a lock right now."))
        return
    longest = max(waits)
    state = "bad" if longest >= BAD_WAIT_S else "watch" if longest >= WATCH_WAIT_S else "ok"
    sentence = ngettext(
        "%(n)d writer waits for a lock, for %(age)s.",
        "%(n)d writers wait for a lock, the longest for %(age)s.",
        len(waits),
    ) % {"n": len(waits), "age": duration(longest * 1000)}
    yield told(stores, "waits", state, sentence)
