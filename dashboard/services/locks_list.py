"""Who holds which lock, and who waits behind it: all stores in scope, filtered and in order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.live import stamp_of

from .fleet import LIVE_AGE_S, fleet
from .locks_figures import HOUR_MS, LockFigures, figures_of
from .locks_look import StoreLook, look_at_locks, looks_since, stores_now
from .locks_rows import LockRow, WaiterRow, lock_row
from .problems import Problem
from .readers import Reader
from .sharing import Shared
from .threshold_changes import limits_now

PER_PAGE = 50

SORTS: dict[str, Callable[[LockRow], tuple[object, ...]]] = {
    "held": lambda row: (row.held_s,),
    "wait": lambda row: (row.longest.waited_s if row.longest else -1.0, row.held_s),
    "waiters": lambda row: (len(row.waiters), row.held_s),
    "store": lambda row: (row.store, row.what),
    "holder": lambda row: (row.host, row.program, row.pid),
    "verdict": lambda row: (row.word, row.held_s),
}


@dataclass(frozen=True, slots=True)
class WantedLocks:
    """What the address asks for; empty means all. ``order`` has a minus where it goes down."""

    store: str = ""
    verdict: str = ""
    kind: str = ""
    waited_for: bool = False
    order: str = "-held"
    page: int = 1


@dataclass(frozen=True, slots=True)
class LateStore:
    """A store whose locks could not be looked at."""

    id: str
    name: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class LockList:
    """One look at the locks. ``rows`` are those of the page, ``every_row`` all that match."""

    rows: tuple[LockRow, ...]
    every_row: tuple[LockRow, ...]
    total: int
    left_behind: int
    waiters: int
    longest: WaiterRow | None
    verdicts: dict[str, int]
    figures: LockFigures
    looks: int
    late: tuple[LateStore, ...]
    left_out: str
    stores: tuple[tuple[str, str], ...]
    read_at_ms: int
    took_s: float
    page: int
    pages: int
    problem: Problem | None = None
    store_name: str = ""

    @property
    def matched(self) -> int:
        """How many locks the filters let through."""
        return len(self.every_row)

    @property
    def state(self) -> str:
        """The worst of what is held and waited for: bad, watch, unknown or ok."""
        states = [row.state for row in self.every_row] + [
            waiter.state for row in self.every_row for waiter in row.waiters
        ]
        if self.figures.recent_timeouts:
            states.append("bad")
        if self.late:
            states.append("unknown")
        if not self.total and not self.figures.is_reported:
            states.append("unknown")  # an empty table without numbers proves nothing
        return next((state for state in ("bad", "watch", "unknown") if state in states), "ok")

    @property
    def sentence(self) -> str:
        """What is held and waited for, and what was left behind."""
        if not self.left_behind:
            return self._held_sentence
        left = ngettext(
            "%d lock file was left behind.", "%d lock files were left behind.", self.left_behind
        )
        return f"{self._held_sentence} {left % self.left_behind}"

    @property
    def _held_sentence(self) -> str:
        count = self.total - self.left_behind
        if not count:
            return _("No lock was seen.") if self.late else _("No lock is held.")
        held = ngettext("%d lock is held", "%d locks are held", count) % count
        if self.longest is None:
            return _("%(held)s, nobody waits.") % {"held": held}
        waits = ngettext("%d call waits", "%d calls wait", self.waiters) % self.waiters
        told = {"held": held, "waits": waits, "longest": self.longest.words}
        return _("%(held)s, %(waits)s, the longest for %(longest)s.") % told

    @property
    def sampled(self) -> str:
        """How often this console looked."""
        words = ngettext(
            "Sampled: this process of the console looked %d time in the last hour.",
            "Sampled: this process of the console looked %d times in the last hour.",
            self.looks,
        )
        return words % self.looks

    @property
    def stamp(self) -> str:
        """The digest of what is on the screen."""
        rows = [
            (row.id, row.verdict, int(row.held_s), [int(w.waited_s) for w in row.waiters])
            for row in self.rows
        ]
        figures = self.figures
        told = (figures.acquisitions, figures.timeouts, figures.recent_timeouts, figures.until_ms)
        return stamp_of(rows, told, self.total, [late.id for late in self.late])


def list_locks(
    wanted: WantedLocks, *, store_id: str | None = None, is_live: bool = False
) -> LockList:
    """Look at the locks of every store in scope, or of one; live parts share a look.

    Raises:
        ProblemError: there is no store ``store_id``.
    """
    if is_live:
        return _shared.get((wanted, store_id), lambda: _list(wanted, store_id, is_live=True))
    return _list(wanted, store_id, is_live=False)


_shared: Shared[LockList] = Shared(LIVE_AGE_S)


def _list(wanted: WantedLocks, store_id: str | None, *, is_live: bool) -> LockList:
    began_s = time.monotonic()
    readers, stores, problem = _readers(store_id, is_live=is_live)
    chosen = [reader for reader in readers if wanted.store in ("", reader.id)]
    looks = look_at_locks(chosen, is_live=is_live)
    seen = [(reader, looks[reader.id]) for reader in chosen]
    answers = [(reader, one) for reader, one in seen if isinstance(one, StoreLook)]
    limits = limits_now() if any(one.locks for _reader, one in answers) else None
    rows = [lock_row(reader, lock, limits) for reader, one in answers for lock in one.locks]
    matching = _ordered([row for row in rows if _matches(row, wanted)], wanted.order)
    answered = [reader for reader, _one in answers]
    pages = max(1, -(-len(matching) // PER_PAGE))
    page = min(max(1, wanted.page), pages)
    waits = [waiter for row in rows for waiter in row.waiters]
    now_ms = time.time_ns() // 1_000_000
    return LockList(
        rows=tuple(matching[(page - 1) * PER_PAGE : page * PER_PAGE]),
        every_row=tuple(matching),
        total=len(rows),
        left_behind=sum(row.is_proven_dead for row in rows),
        waiters=len(waits),
        longest=max(waits, key=lambda waiter: waiter.waited_s, default=None),
        verdicts=dict(Counter(row.verdict for row in rows)),
        figures=figures_of(answered),
        looks=looks_since(answered, now_ms - HOUR_MS),
        late=tuple(LateStore(r.id, r.name, one) for r, one in seen if isinstance(one, Problem)),
        left_out=_left_out([one for _reader, one in answers]),
        stores=stores,
        read_at_ms=min((one.at_ms for _reader, one in answers), default=now_ms),
        took_s=time.monotonic() - began_s,
        page=page,
        pages=pages,
        problem=problem,
        store_name=readers[0].name if store_id is not None else "",
    )


def _left_out(looks: Sequence[StoreLook]) -> str:
    """That there are more lock files than are looked at; empty where all were."""
    unread = sum(look.unread for look in looks)
    if unread:
        return (
            ngettext(
                "%d transcript lock more is there and was not looked at: too many at once.",
                "%d transcript locks more are there and were not looked at: too many at once.",
                unread,
            )
            % unread
        )
    if any(look.is_cut for look in looks):
        return _("A directory has too many files to list, so some transcript locks may be missing.")
    return ""


def _readers(
    store_id: str | None, *, is_live: bool
) -> tuple[Sequence[Reader], tuple[tuple[str, str], ...], Problem | None]:
    if store_id is not None:
        return [fleet().reader(store_id)], (), None
    scan = stores_now(max_age_s=1.0 if is_live else 0.0)
    stores = tuple((reader.id, reader.name) for reader in scan.readers)
    return scan.readers, stores, scan.problem


def _matches(row: LockRow, wanted: WantedLocks) -> bool:
    return (
        wanted.verdict in ("", row.verdict)
        and wanted.kind in ("", row.kind)
        and (not wanted.waited_for or bool(row.waiters))
    )


def _ordered(rows: list[LockRow], order: str) -> list[LockRow]:
    rows.sort(key=lambda row: row.id)
    rows.sort(key=SORTS[order.lstrip("-")], reverse=order.startswith("-"))
    return rows
