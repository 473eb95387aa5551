"""The timeout sanity check: how long waiters wait beside how long holders hold, in words.

What programs say of themselves right now: each waiter's limit, and each holder's maximum where
its record names one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from .amounts import duration
from .check import Check
from .stores import StoreList, StoreRow
from .tree import shown

WAITER, HOLDER, STALENESS = "waiter", "holder", "staleness"


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit: whose, how long, and where that is from. ``kind``: waiter, holder, staleness."""

    kind: str
    agent: str
    who: str
    seconds: float
    source: str

    @property
    def length(self) -> str:
        """The limit in words."""
        return duration(self.seconds * 1000)

    @property
    def kind_word(self) -> str:
        """What the limit is of."""
        words = {
            WAITER: _("a waiter gives up"),
            HOLDER: _("a holder may keep it"),
            STALENESS: _("it counts as stale"),
        }
        return words[self.kind]


@dataclass(frozen=True, slots=True)
class Sanity:
    """All limits next to each other, and what does not fit."""

    rows: tuple[LimitRow, ...]
    findings: tuple[str, ...]


def sanity_of(stores: StoreList) -> Sanity:
    """Every limit that is known now, and what is wrong with them together."""
    rows = tuple(dict.fromkeys(row for store in stores.opened for row in _rows(store)))
    return Sanity(rows, tuple(_findings(rows)))


def _rows(store: StoreRow) -> Iterator[LimitRow]:
    for lock in store.held:
        if lock.limit_s is not None and math.isfinite(lock.limit_s):
            yield LimitRow(
                HOLDER,
                store.name,
                shown(lock.program) or _("unknown program"),
                lock.limit_s,
                _("the record of the lock that it holds now"),
            )
        for waiter in lock.waiters:
            if math.isfinite(waiter.timeout_s):
                yield LimitRow(
                    WAITER,
                    store.name,
                    shown(waiter.program) or _("unknown program"),
                    waiter.timeout_s,
                    _("its live table, while it waits now"),
                )


def _findings(rows: Iterable[LimitRow]) -> Iterator[str]:
    by_agent: dict[str, list[LimitRow]] = {}
    for row in rows:
        by_agent.setdefault(row.agent, []).append(row)
    for agent, mine in by_agent.items():
        waits = [row for row in mine if row.kind == WAITER]
        for row in mine:
            shorter = [wait for wait in waits if wait.seconds < row.seconds]
            if row.kind == WAITER or not shorter:
                continue
            least = min(shorter, key=lambda wait: wait.seconds)
            values = {
                "agent": agent,
                "holder": row.who,
                "most": row.length,
                "waiter": least.who,
                "least": least.length,
            }
            if row.kind == HOLDER:
                yield (
                    _(
                        "%(agent)s: %(holder)s may keep a lock for %(most)s, but %(waiter)s gives"
                        " up after %(least)s."
                    )
                    % values
                )
            else:
                yield (
                    _(
                        "%(agent)s: a lock of %(holder)s counts as stale only after %(most)s, but"
                        " %(waiter)s gives up after %(least)s, so nobody lives to clear it."
                    )
                    % values
                )


def limits_check(stores: StoreList) -> Iterator[Check]:
    """One sentence on whether the limits fit each other; grey while none are known."""
    seen = sanity_of(stores)
    if not stores.opened:
        return
    if seen.findings:
        state, sentence = "bad", seen.findings[0]
    elif {WAITER, HOLDER} <= {row.kind for row in seen.rows}:
        state, sentence = "ok", _("No holder may keep a lock for longer than its waiters wait.")
    else:
        state, sentence = "unknown", _("No limits of holders and waiters are known to compare.")
    detail = " ".join(seen.findings[1:4])
    yield Check("limits", state, sentence, detail, "checks", "", stores.read_at_ms)
