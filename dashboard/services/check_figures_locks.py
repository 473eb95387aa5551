"""Figures of the locks that are held right now: waits, holds, their limits, other hosts."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore.locks import HeldLock

from .amounts import duration
from .check_judging import Figure
from .hold_states import outlasted, share_of
from .stores import StoreRow
from .tree import shown

_NOBODYS = frozenset({"other-host", "owner-gone", "pid-reused", "leftover", "unreadable"})
"""Of these nobody is known to hold them here; checks of their own tell of them."""


def lock_figures(row: StoreRow) -> Iterator[Figure]:
    """What is known of one store's locks; where nobody could look, all of it is grey."""
    if row.locks is None:
        for rule in ("waits", "current-hold", "locks", "other-host"):
            yield Figure(rule, row.id, row.name, _("The locks could not be looked at."))
        return
    here = [lock for lock in row.held if lock.verdict not in _NOBODYS]
    yield _waits(row)
    yield _against_maximum(row, here)
    # A run of OpenClaw keeps its transcript's lock for minutes, by design.
    yield _oldest(row, [lock for lock in here if lock.scope != "transcript"])
    yield _elsewhere(row)


def _waits(row: StoreRow) -> Figure:
    waiters = [waiter for lock in row.held for waiter in lock.waiters]
    if not waiters:
        return Figure("waits", row.id, row.name, _("Nobody waits for a lock right now."), 0.0)
    first = max(waiters, key=lambda waiter: share_of(waiter.waited_s, waiter.timeout_s) or 0.0)
    share = share_of(first.waited_s, first.timeout_s)
    values = {"n": len(waiters), "age": duration(first.waited_s * 1000)}
    if share is None:
        sentence = ngettext(
            "%(n)d writer waits for a lock, for %(age)s, without a limit.",
            "%(n)d writers wait for a lock, the longest for %(age)s, without a limit.",
            len(waiters),
        )
    else:
        values["limit"] = duration(first.timeout_s * 1000)
        sentence = ngettext(
            "%(n)d writer waits for a lock: %(age)s of %(limit)s allowed.",
            "%(n)d writers wait for a lock: the longest wait is %(age)s of %(limit)s allowed.",
            len(waiters),
        )
    longest = max(waiter.waited_s for waiter in waiters)
    return Figure("waits", row.id, row.name, sentence % values, longest, share)


def _against_maximum(row: StoreRow, held: list[HeldLock]) -> Figure:
    if not held:
        sentence = _("No lock is held, so none is near its maximum.")
        return Figure("current-hold", row.id, row.name, sentence, 0.0)
    stated = [(lock, share_of(lock.held_s, lock.limit_s)) for lock in held]
    known = [(lock, share) for lock, share in stated if share is not None]
    if not known:
        return Figure("current-hold", row.id, row.name, _("No held lock names a maximum."))
    lock, share = max(known, key=lambda pair: pair[1])
    values = {"age": duration(lock.held_s * 1000), "limit": duration((lock.limit_s or 0) * 1000)}
    longer = [one for one, _part in known if outlasted(one) is not None]
    detail = ""
    if longer:
        detail = _("A holder may keep its lock for longer than its waiters wait.")
    return Figure(
        "current-hold",
        row.id,
        row.name,
        _("A lock is held for %(age)s of the %(limit)s that its holder may keep it.") % values,
        share,
        share,
        detail=detail,
        breach=bool(longer) or any(one.verdict == "over-limit" for one in held),
    )


def _oldest(row: StoreRow, held: list[HeldLock]) -> Figure:
    if not held:
        return Figure("locks", row.id, row.name, _("No lock is held right now."), 0.0)
    oldest = max(held, key=lambda lock: lock.held_s)
    # One that names its maximum is judged by that, not by its age as well.
    ages_s = [lock.held_s for lock in held if share_of(lock.held_s, lock.limit_s) is None]
    sentence = ngettext(
        "%(n)d lock is held right now, for %(age)s.",
        "%(n)d locks are held right now, the oldest for %(age)s.",
        len(held),
    ) % {"n": len(held), "age": duration(oldest.held_s * 1000)}
    return Figure(
        "locks", row.id, row.name, sentence, max(ages_s, default=0.0), detail=_who(oldest)
    )


def _who(lock: HeldLock) -> str:
    return _("%(program)s, process %(pid)d on %(host)s, for %(operation)s: %(what)s.") % {
        "program": shown(lock.program) or _("unknown program"),
        "pid": lock.pid,
        "host": shown(lock.host) or _("this host"),
        "operation": shown(lock.operation) or _("an update"),
        "what": shown(lock.key) if lock.key else _("the whole store"),
    }


def _elsewhere(row: StoreRow) -> Figure:
    foreign = [lock for lock in row.held if lock.verdict == "other-host"]
    if not foreign:
        sentence = _("No lock is held by another host.")
        return Figure("other-host", row.id, row.name, sentence, 0.0)
    oldest = max(foreign, key=lambda lock: lock.held_s)
    sentence = ngettext(
        "%(n)d lock is another host's, since %(age)s; from here nobody can check it.",
        "%(n)d locks are other hosts', the oldest since %(age)s; from here nobody can check them.",
        len(foreign),
    ) % {"n": len(foreign), "age": duration(oldest.held_s * 1000)}
    return Figure("other-host", row.id, row.name, sentence, oldest.held_s, detail=_who(oldest))
