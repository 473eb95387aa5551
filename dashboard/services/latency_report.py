"""When did it get slow, and why? What the writers of one or many stores reported, added up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .fleet import page_budget_s
from .history import look_at
from .latency_coverage import gaps_between, joined
from .latency_hot import HotSessions, hot_sessions
from .latency_look import HEAT_HOURS, Hour, StoreLook, Wanted, look_at_store, resolution_of
from .latency_span import Span, span_of
from .latency_sums import Sums
from .problems import Problem
from .readers import Reader
from .tree import shown

_MOST_PROGRAMS = 50


@dataclass(frozen=True, slots=True)
class Program:
    """A process that reported, as it named itself; masked."""

    name: str
    pid: int
    host: str


@dataclass(frozen=True, slots=True)
class Late:
    """A store that is not in the figures, and why."""

    store_id: str
    name: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about one window. ``steps`` has None where nobody reported in any store.

    ``gaps`` are spells within the window, before now, in which nobody was there to report.
    ``since_ms`` is when reporting began, as far as it is kept; None when nobody ever has.
    """

    span: Span
    wanted: Wanted
    read_at_ms: int
    steps: tuple[Sums | None, ...]
    total: Sums
    hours: tuple[Hour, ...]
    gaps: tuple[tuple[int, int], ...]
    since_ms: int | None
    latest_ms: int | None
    reporters: int
    programs: tuple[Program, ...]
    operations: tuple[str, ...]
    hot: HotSessions
    stores: int
    late: tuple[Late, ...]
    refused: int

    @property
    def has_reports(self) -> bool:
        """Whether anybody was there to report within the window."""
        return any(step is not None for step in self.steps)

    @property
    def was_ever_reported(self) -> bool:
        """Whether anything is kept of any time."""
        return self.since_ms is not None


def report_of(
    readers: Sequence[Reader], wanted: Wanted, *, budget_s: float | None = None
) -> Report:
    """Look at each store's history in its own thread, within the page's budget, and add up.

    That is ``budget_s`` where the page has spent some already. The first look reads what is new; a
    store that has not answered when half of the time is over is late, so that it leaves the other
    half to those that have.
    """
    now_ms = time.time_ns() // 1_000_000
    ends_s = time.monotonic() + (page_budget_s() if budget_s is None else budget_s)
    first = span_of(wanted.start_ms, wanted.end_ms)
    finest = look_at(
        readers,
        lambda history: resolution_of(history, first.start_ms),
        budget_s=(ends_s - time.monotonic()) / 2,
    )
    known = [found for found in finest.values() if not isinstance(found, Problem)]
    span = span_of(wanted.start_ms, wanted.end_ms, finest_ms=max(known, default=0))
    answers = look_at(
        [reader for reader in readers if not isinstance(finest[reader.id], Problem)],
        lambda history: look_at_store(history, span, wanted, now_ms=now_ms),
        budget_s=ends_s - time.monotonic(),
    )
    late = {ident: one for ident, one in {**finest, **answers}.items() if isinstance(one, Problem)}
    looks = {ident: one for ident, one in answers.items() if not isinstance(one, Problem)}
    return _added_up(_Read(readers, looks, late, span, wanted, now_ms))


@dataclass(frozen=True, slots=True)
class _Read:
    readers: Sequence[Reader]
    looks: dict[str, StoreLook]
    late: dict[str, Problem]
    span: Span
    wanted: Wanted
    now_ms: int


def _added_up(read: _Read) -> Report:
    looks = list(read.looks.values())
    coverage = joined(spell for look in looks for spell in look.coverage)
    total = Sums()
    for step in (step for look in looks for step in look.steps if step is not None):
        total.merge(step)
    hot = hot_sessions(read.readers, {ident: look.sessions for ident, look in read.looks.items()})
    processes = list(dict.fromkeys(process for look in looks for process in look.processes))
    return Report(
        span=read.span,
        wanted=read.wanted,
        read_at_ms=read.now_ms,
        steps=tuple(
            _sum_of_step(parts) for parts in zip(*(look.steps for look in looks), strict=True)
        )
        or (None,) * read.span.count,
        total=total,
        hours=tuple(
            _sum_of_hour(parts) for parts in zip(*(look.hours for look in looks), strict=True)
        )
        or (None,) * HEAT_HOURS,
        gaps=gaps_between(coverage, read.span.start_ms, min(read.span.end_ms, read.now_ms)),
        since_ms=coverage[0][0] if coverage else None,
        latest_ms=coverage[-1][1] if coverage else None,
        reporters=len(processes),
        programs=tuple(
            Program(shown(one.program)[:200], one.pid, shown(one.host)[:200])
            for one in processes[:_MOST_PROGRAMS]
        ),
        operations=tuple(sorted({name for look in looks for name in look.operations}))[:100],
        hot=hot,
        stores=len(looks),
        refused=sum(look.refused for look in looks),
        late=tuple(
            Late(one.id, one.name, read.late[one.id]) for one in read.readers if one.id in read.late
        ),
    )


def _sum_of_step(parts: Sequence[Sums | None]) -> Sums | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    total = Sums()
    for part in known:
        total.merge(part)
    return total


def _sum_of_hour(parts: Sequence[Hour]) -> Hour:
    known = [part for part in parts if part is not None]
    return tuple(map(sum, zip(*known, strict=True))) if known else None
