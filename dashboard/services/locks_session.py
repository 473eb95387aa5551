"""One session's locks: who holds them now, and what its waits and holds came to lately."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessionstore.metrics import History
from sessionstore.recording.records import KeptWrite

from .amounts import latency
from .fleet import fleet
from .history import look_at
from .latency_writes import writes_of
from .locks_figures import HOUR_MS
from .locks_look import StoreLook, look_at_locks
from .locks_rows import LockRow, lock_row
from .problems import Problem
from .readers import Reader
from .session import key_behind
from .sparklines import Sparkline
from .tree import shown

SPANS_H = (1, 6, 24, 72)
MOST_EXAMPLES = 20
_FEW, _LINE_H = 20, 24


@dataclass(frozen=True, slots=True)
class SpanFigures:
    """What writers reported of one session for the last hours.

    ``count`` may be too large by at most ``over_count``. ``is_reported``: anybody reported for
    the store at all; ``is_counted``: this session was among the costly ones of a window.
    """

    hours: int
    is_reported: bool
    is_counted: bool
    since_ms: int
    count: int = 0
    over_count: int = 0
    contended: int = 0
    wait_s: float = 0.0
    hold_s: float = 0.0
    timeouts: int = 0

    @property
    def title(self) -> str:
        """How far back it goes."""
        return _("%d h") % self.hours

    @property
    def contended_percent(self) -> float:
        """The share of updates that had to wait, in percent."""
        return 100 * self.contended / self.count if self.count else 0.0

    @property
    def state(self) -> str:
        """Good under 1 %, bad over 10 %; grey with too few updates (demand.md E4)."""
        if self.count < _FEW:
            return "none"
        share = self.contended_percent
        return "bad" if share > 10 else "watch" if share >= 1 else "ok"

    @property
    def wait_words(self) -> str:
        """All waits together."""
        return latency(self.wait_s * 1000)

    @property
    def hold_words(self) -> str:
        """All holds together."""
        return latency(self.hold_s * 1000)


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One update of the session that writers kept: among the slowest or latest of its window."""

    at_ms: int
    operation: str
    outcome: str
    wait_words: str
    hold_words: str
    program: str
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class SessionLocks:
    """What the tab shows. ``problem`` and ``history_problem`` say why a part is missing."""

    rows: tuple[LockRow, ...]
    read_at_ms: int
    spans: tuple[SpanFigures, ...]
    examples: tuple[ExampleRow, ...]
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
    told = look_at([reader], lambda history: _told(history, key, now_ms))[reader.id]
    writes = writes_of(reader, key, hours=_LINE_H)
    spans, examples = ((), ()) if isinstance(told, Problem) else told
    return SessionLocks(
        rows=_rows(reader, look, key, transcript) if isinstance(look, StoreLook) else (),
        read_at_ms=look.at_ms if isinstance(look, StoreLook) else now_ms,
        spans=tuple(spans),
        examples=tuple(map(_example, examples)),
        waited=writes.waited,
        held=writes.held,
        problem=look if isinstance(look, Problem) else None,
        history_problem=told if isinstance(told, Problem) else None,
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
    return tuple(lock_row(reader, lock) for lock in found)


def _told(
    history: History, key: str, now_ms: int
) -> tuple[Sequence[SpanFigures], Sequence[KeptWrite]]:
    kept = history.writes(key, now_ms - SPANS_H[-1] * HOUR_MS, now_ms)
    return [_span(history, key, hours, now_ms, kept) for hours in SPANS_H], kept[:MOST_EXAMPLES]


def _span(
    history: History, key: str, hours: int, now_ms: int, kept: Sequence[KeptWrite]
) -> SpanFigures:
    start_ms = now_ms - hours * HOUR_MS
    mine = [
        one
        for window in history.between(start_ms, now_ms)
        for one in window.sessions
        if one.key == key
    ]
    covered = [max(start, start_ms) for start, end in history.coverage() if end > start_ms]
    return SpanFigures(
        hours=hours,
        is_reported=bool(covered),
        is_counted=bool(mine),
        since_ms=min(covered, default=now_ms),
        count=sum(one.count for one in mine),
        over_count=sum(one.over_count for one in mine),
        contended=sum(one.contended for one in mine),
        wait_s=sum(one.wait_ns for one in mine) / 1e9,
        hold_s=sum(one.hold_ns for one in mine) / 1e9,
        timeouts=sum(one.outcome == "timeout" and one.at_ms > start_ms for one in kept),
    )


def _example(kept: KeptWrite) -> ExampleRow:
    return ExampleRow(
        at_ms=kept.at_ms,
        operation=shown(kept.operation),
        outcome=shown(kept.outcome),
        wait_words=latency(max(kept.wait_ns, 0) / 1e6),
        hold_words=latency(max(kept.hold_ns, 0) / 1e6),
        program=shown(kept.program),
        host=shown(kept.host),
        pid=kept.pid,
    )
