"""The writes of one session: what each window kept of it, and what it cost over 72 hours.

Writers keep the slowest and the latest updates of each window as examples, and the sums of the
sessions that cost most. So the list is not every write, and a session that is quiet beside others
may be missing from a window's sums; the page says both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessionstore.metrics import History, HotSession, KeptWrite

from .amounts import binary, latency
from .history import look_at
from .latency_coverage import is_covered
from .latency_span import HOUR_MS, HOURS, Span, span_of
from .problems import Problem
from .readers import Reader
from .sampled import exactness
from .sparklines import Sparkline, sparkline_of
from .tree import shown

MOST_WRITES, MOST_SHOWN = 500, 50
_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class WriteRow:
    """One kept update, as page and twins show it; texts are masked, times in milliseconds."""

    at_ms: int
    operation: str
    outcome: str
    wait_ms: float
    hold_ms: float
    write_ms: float
    written_bytes: int
    changed_bytes: int
    program: str
    pid: int
    host: str

    @property
    def words(self) -> tuple[str, str, str]:
        """Wait, hold and write, said."""
        return latency(self.wait_ms), latency(self.hold_ms), latency(self.write_ms)


@dataclass(frozen=True, slots=True)
class WriteTotal:
    """What the session cost in the last hours, as far as windows counted it apart.

    ``over_count``: the sums may hold up to so many updates of other sessions; 0 means none.
    ``is_counted``: any window counted it apart. ``since_ms``: from when on anybody was there to
    report, None where nobody was. ``timeouts``: those that were kept as examples.
    Of ``estimated`` updates the time held and the bytes were not looked at, and are estimates.
    """

    hours: int
    updates: int
    contended: int
    wait_ms: float
    hold_ms: float
    written_bytes: int
    over_count: int
    is_counted: bool
    since_ms: int | None
    timeouts: int
    estimated: int

    @property
    def exactness(self) -> str:
        """Of how many updates time held and bytes are."""
        return exactness(self.updates - self.over_count, self.estimated)

    @property
    def words(self) -> tuple[str, str]:
        """Time waited and held, said."""
        return latency(self.wait_ms), latency(self.hold_ms)


@dataclass(frozen=True, slots=True)
class Writes:
    """Everything that is known of one session's writes. ``matched`` counts rows before the cut."""

    hours: int
    rows: tuple[WriteRow, ...]
    matched: int
    totals: tuple[WriteTotal, ...]
    held: Sparkline
    waited: Sparkline
    written: Sparkline
    since_ms: int | None
    read_at_ms: int
    problem: Problem | None = None

    @property
    def exactness(self) -> str:
        """Of how many updates time held and bytes are, over all that is shown."""
        return max(self.totals, key=lambda total: total.hours).exactness

    @property
    def is_exact(self) -> bool:
        """Whether nothing that is shown is an estimate."""
        return not any(total.estimated for total in self.totals)

    @property
    def shown(self) -> tuple[WriteRow, ...]:
        """The latest, as many as a page can be read with; the twins have more."""
        return self.rows[:MOST_SHOWN]


@dataclass(slots=True)
class _Found:
    kept: list[KeptWrite]
    hot: list[tuple[int, HotSession]]
    coverage: list[tuple[int, int]]


def writes_of(reader: Reader, key: str, *, hours: int) -> Writes:
    """Read what was reported of a session. ``key`` is the raw key."""
    now_ms = time.time_ns() // 1_000_000
    since_ms = now_ms - max(HOURS) * HOUR_MS
    answer = look_at([reader], lambda history: _found(history, key, since_ms, now_ms))[reader.id]
    problem = answer if isinstance(answer, Problem) else None
    found = _Found([], [], []) if isinstance(answer, Problem) else answer
    start_ms = now_ms - hours * HOUR_MS
    kept = [write for write in found.kept if write.at_ms > start_ms]
    span = span_of(start_ms, now_ms)

    def line(
        what: str, cost: Callable[[HotSession], float], say: Callable[[float], str]
    ) -> Sparkline:
        return sparkline_of(_points(found, span, cost), what=what, say=say)

    return Writes(
        hours=hours,
        rows=tuple(map(_row, kept[:MOST_WRITES])),
        matched=len(kept),
        totals=tuple(_total(found, one, now_ms) for one in HOURS),
        held=line(_("Time held"), lambda hot: hot.hold_ns / _NS_PER_MS, latency),
        waited=line(_("Time waited"), lambda hot: hot.wait_ns / _NS_PER_MS, latency),
        written=line(_("Bytes written"), lambda hot: hot.written_bytes, lambda n: binary(int(n))),
        since_ms=found.coverage[0][0] if found.coverage else None,
        read_at_ms=now_ms,
        problem=problem,
    )


def _found(history: History, key: str, start_ms: int, end_ms: int) -> _Found:
    windows = history.between(start_ms, end_ms)
    kept = [write for window in windows for write in window.writes if write.key == key]
    hot = [
        (window.until_ms, session)
        for window in windows
        for session in window.sessions
        if session.key == key
    ]
    return _Found(sorted(kept, key=lambda write: -write.at_ms), hot, history.coverage())


def _points(
    found: _Found, span: Span, cost: Callable[[HotSession], float]
) -> Sequence[float | None]:
    points: list[float | None] = [
        0.0 if is_covered(found.coverage, start, end) else None for start, end in span.edges()
    ]
    for until_ms, session in found.hot:
        place = span.step_of(until_ms)
        if place is not None:
            points[place] = (points[place] or 0.0) + cost(session)
    return points


def _total(found: _Found, hours: int, now_ms: int) -> WriteTotal:
    start_ms = now_ms - hours * HOUR_MS
    inside = [session for until_ms, session in found.hot if until_ms > start_ms]
    covered = [max(start, start_ms) for start, end in found.coverage if end > start_ms]
    return WriteTotal(
        hours=hours,
        updates=sum(one.count for one in inside),
        contended=sum(one.contended for one in inside),
        wait_ms=round(sum(one.wait_ns for one in inside) / _NS_PER_MS, 6),
        hold_ms=round(sum(one.hold_ns for one in inside) / _NS_PER_MS, 6),
        written_bytes=sum(one.written_bytes for one in inside),
        over_count=sum(one.over_count for one in inside),
        is_counted=bool(inside),
        since_ms=min(covered, default=None),
        timeouts=sum(one.outcome == "timeout" and one.at_ms > start_ms for one in found.kept),
        estimated=sum(one.estimated for one in inside),
    )


def _row(write: KeptWrite) -> WriteRow:
    return WriteRow(
        at_ms=write.at_ms,
        operation=shown(write.operation)[:100],
        outcome=shown(write.outcome)[:100],
        wait_ms=round(write.wait_ns / _NS_PER_MS, 6),
        hold_ms=round(write.hold_ns / _NS_PER_MS, 6),
        write_ms=round(write.write_ns / _NS_PER_MS, 6),
        written_bytes=write.written_bytes,
        changed_bytes=write.changed_bytes,
        program=shown(write.program)[:200],
        pid=write.pid,
        host=shown(write.host)[:200],
    )
