"""One session's locks: who holds them now, and what its waits and holds came to lately."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.utils.translation import gettext as _

from .fleet import fleet
from .latency_writes import WriteRow, WriteTotal, writes_of
from .locks_look import StoreLook, look_at_locks
from .locks_rows import LockRow, lock_row
from .problems import Problem
from .readers import Reader
from .session import key_behind
from .sparklines import Sparkline
from .threshold_changes import limits_now

MOST_EXAMPLES = 20
_FEW, _LINE_H = 20, 24


@dataclass(frozen=True, slots=True)
class SpanFigures:
    """What writers reported of one session for the last hours: as its tab of writes has it."""

    total: WriteTotal

    @property
    def title(self) -> str:
        """How far back it goes."""
        return _("%d h") % self.total.hours

    @property
    def is_reported(self) -> bool:
        """Whether anybody reported for the store at all."""
        return self.total.since_ms is not None

    @property
    def contended_percent(self) -> float:
        """The share of updates that had to wait, in percent."""
        total = self.total
        return 100 * total.contended / total.updates if total.updates else 0.0

    @property
    def state(self) -> str:
        """Good under 1 %, bad over 10 %; grey with too few updates (demand.md E4)."""
        if self.total.updates < _FEW:
            return "none"
        share = self.contended_percent
        return "bad" if share > 10 else "watch" if share >= 1 else "ok"


@dataclass(frozen=True, slots=True)
class SessionLocks:
    """What the tab shows. ``problem`` and ``history_problem`` say why a part is missing."""

    rows: tuple[LockRow, ...]
    read_at_ms: int
    spans: tuple[SpanFigures, ...]
    examples: tuple[WriteRow, ...]
    waited: Sparkline
    held: Sparkline
    problem: Problem | None
    history_problem: Problem | None

    @property
    def is_reported(self) -> bool:
        """Whether anybody reported in the longest of the spans."""
        return any(span.is_reported for span in self.spans)


def session_locks(store_id: str, ref: str, transcript: str) -> SessionLocks:
    """Look at the locks that matter to a session, and at what was reported of it.

    ``transcript`` is the name of its transcript's file, empty where that is not known.

    Raises:
        ProblemError: there is no such store or session.
    """
    reader, key = fleet().reader(store_id), key_behind(store_id, ref)
    look = look_at_locks([reader])[reader.id]
    now_ms = time.time_ns() // 1_000_000
    writes = writes_of(reader, key, hours=_LINE_H)
    is_known = writes.problem is None
    return SessionLocks(
        rows=_rows(reader, look, key, transcript) if isinstance(look, StoreLook) else (),
        read_at_ms=look.at_ms if isinstance(look, StoreLook) else now_ms,
        spans=tuple(map(SpanFigures, writes.totals)) if is_known else (),
        examples=writes.rows[:MOST_EXAMPLES],
        waited=writes.waited,
        held=writes.held,
        problem=look if isinstance(look, Problem) else None,
        history_problem=writes.problem,
    )


def _rows(reader: Reader, look: StoreLook, key: str, transcript: str) -> tuple[LockRow, ...]:
    """Locks on the session, its transcript, the whole store and the store's file."""
    found = [
        lock
        for lock in look.locks
        if lock.scope in ("store", "legacy")
        or (lock.scope == "session" and lock.key == key)
        or (
            lock.scope == "transcript"
            and transcript
            and lock.path.rpartition("/")[2] == f"{transcript}.lock"
        )
    ]
    limits = limits_now() if found else None
    return tuple(lock_row(reader, lock, limits) for lock in found)
