"""Checks of locks that no figure has: whether every holder is known to live."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import ngettext

from .check import Check, told
from .stores import StoreList

UNEXPLAINED = frozenset({"owner-gone", "pid-reused", "unreadable", "unexplained", "leftover"})


def unexplained(stores: StoreList) -> Iterator[Check]:
    """Locks without an owner that is known to live; nothing where there is none."""
    held = [lock for row in stores.opened for lock in row.held]
    odd = [lock for lock in held if lock.verdict in UNEXPLAINED]
    if odd:
        sentence = ngettext(
            "%(n)d lock has no living owner that is known.",
            "%(n)d locks have no living owner that is known.",
            len(odd),
        ) % {"n": len(odd)}
        yield told(stores, "unexplained-locks", "watch", sentence, page="locks")
