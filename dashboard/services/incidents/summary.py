"""What the writers of some stores reported in the span of an incident, in few figures.

Percentiles are of merged histograms. A store whose writers reported nothing has no figures: silence
is not calm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sessionstore.metrics import (
    HOLD,
    WAIT,
    WRITE,
    Histogram,
    History,
    HotSession,
    Window,
    merge,
)

from ..history import look_at
from ..problems import Problem
from ..readers import Reader
from ..sampled import exactness
from ..tree import shown

TIMEOUT = "timeout"
KEPT = "held"
"""The outcome of what is no update: the whole store's lock, kept by something else."""
WORST = 10
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Measure:
    """One kind of time in milliseconds, None without any; ``count`` is what it is made from.

    ``least`` is from where on values are *at least*: they stand for waits that were given up.
    """

    p95_ms: float | None
    max_ms: float | None
    count: int
    least: float | None = None

    @property
    def p95_at_least(self) -> bool:
        """Whether the percentile stands for waits that were given up."""
        return None not in (self.least, self.p95_ms) and (self.p95_ms or 0) >= (self.least or 0)

    @property
    def max_at_least(self) -> bool:
        """Whether the longest was given up, and so would have been longer."""
        return None not in (self.least, self.max_ms) and (self.max_ms or 0) >= (self.least or 0)


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """One store, or all together, over the span. ``gap_ms``: for how long nobody reported.

    Without anything reported the counts are None; ``problem`` says why a store has no answer.
    """

    store_id: str
    name: str
    updates: int | None = None
    timeouts: int | None = None
    contended: int | None = None
    wait: Measure | None = None
    hold: Measure | None = None
    write: Measure | None = None
    processes: int = 0
    gap_ms: int = 0
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class WorstSession:
    """A session that cost much. Its key is masked.

    ``is_exact`` is False where the count is an upper bound; ``costs`` says of how many updates
    time held and bytes are.
    """

    store_id: str
    store_name: str
    ref: str
    key: str
    count: int
    contended: int
    wait_ms: float
    hold_ms: float
    written_bytes: int
    is_exact: bool
    costs: str
    estimated: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole span: every store, all of them together, and the sessions that cost most."""

    stores: tuple[StoreFigures, ...]
    together: StoreFigures | None
    worst: tuple[WorstSession, ...]

    @property
    def is_silent(self) -> bool:
        """Whether no writer reported anything at all."""
        return self.together is None


Seen = tuple[Window, list[tuple[int, int]]]


def summary_of(readers: Sequence[Reader], start_ms: int, end_ms: int) -> Summary:
    """What history says of these stores between two times, within a page's time."""

    def look(history: History) -> Seen:
        return history.total(start_ms, end_ms), history.coverage()

    answers = look_at(readers, look)
    stores, windows = [], []
    for reader in readers:
        answer = answers[reader.id]
        if isinstance(answer, Problem):
            stores.append(StoreFigures(reader.id, reader.name, problem=answer))
            continue
        window, coverage = answer
        gap_ms = _gap_ms(coverage, start_ms, end_ms)
        stores.append(_figures(reader.id, reader.name, window, gap_ms))
        if window.until_ms:
            windows.append((reader, window))
    together = merge(window for _, window in windows) if windows else None
    return Summary(
        stores=tuple(stores),
        together=None if together is None else _figures("", "", together, 0),
        worst=tuple(_worst(windows)),
    )


def _figures(store_id: str, name: str, window: Window, gap_ms: int) -> StoreFigures:
    if not window.until_ms:
        return StoreFigures(store_id, name, gap_ms=gap_ms)
    timeouts = [group for group in window.groups if group.labels.outcome == TIMEOUT]
    return StoreFigures(
        store_id=store_id,
        name=name,
        updates=sum(group.count for group in window.groups if group.labels.outcome != KEPT),
        timeouts=sum(group.count for group in timeouts),
        contended=sum(group.contended for group in window.groups),
        wait=_measure(window, WAIT),
        hold=_measure(window, HOLD),
        write=_measure(window, WRITE),
        processes=len(window.processes),
        gap_ms=gap_ms,
    )


def _measure(window: Window, series: str) -> Measure:
    total, given_up = Histogram({}), Histogram({})
    for group in window.groups:
        if series in group.series:
            total.merge(group.series[series])
            if group.labels.outcome == TIMEOUT:
                given_up.merge(group.series[series])
    p95, least = total.percentile(0.95), given_up.percentile(0.0)
    if p95 is None:
        return Measure(None, None, 0)
    least_ms = None if least is None else least / _MS
    return Measure(p95 / _MS, total.maximum / _MS, total.count, least_ms)


def _worst(windows: Iterable[tuple[Reader, Window]]) -> list[WorstSession]:
    """The sessions that were held longest, all waits and holds together."""
    found = [(reader, session) for reader, window in windows for session in window.sessions]
    found.sort(key=lambda pair: (-(pair[1].hold_ns + pair[1].wait_ns), pair[1].key))
    return [_session(reader, session) for reader, session in found[:WORST]]


def _session(reader: Reader, session: HotSession) -> WorstSession:
    return WorstSession(
        store_id=reader.id,
        store_name=reader.name,
        ref=reader.refs.of(session.key),
        key=shown(session.key),
        count=session.count,
        contended=session.contended,
        wait_ms=session.wait_ns / _MS,
        hold_ms=session.hold_ns / _MS,
        written_bytes=session.written_bytes,
        is_exact=session.over_count == 0,
        costs=exactness(session.count - session.over_count, session.estimated),
        estimated=session.estimated,
    )


def _gap_ms(coverage: Iterable[tuple[int, int]], start_ms: int, end_ms: int) -> int:
    covered = sum(max(min(until, end_ms) - max(since, start_ms), 0) for since, until in coverage)
    return max(end_ms - start_ms - covered, 0)


def plain(summary: Summary) -> Mapping[str, object]:
    """The figures of a summary as programs read them."""
    return {
        "together": None if summary.together is None else _plain(summary.together),
        "stores": [
            {"store_id": one.store_id, "store": one.name, **_plain(one)} for one in summary.stores
        ],
        "worst_sessions": [
            {
                "store_id": one.store_id,
                "ref": one.ref,
                "key": one.key,
                "updates": one.count,
                "contended": one.contended,
                "wait_ms": one.wait_ms,
                "hold_ms": one.hold_ms,
                "written_bytes": one.written_bytes,
                "exact": one.is_exact and not one.estimated,
            }
            for one in summary.worst
        ],
    }


def _plain(one: StoreFigures) -> dict[str, object]:
    measures = {"wait": one.wait, "hold": one.hold, "write": one.write}
    return {
        "updates": one.updates,
        "timeouts": one.timeouts,
        "contended": one.contended,
        **{
            f"{name}_{part}": getattr(measure, f"{part}", None)
            for name, measure in measures.items()
            for part in ("p95_ms", "max_ms")
        },
        "processes": one.processes,
        "gap_ms": one.gap_ms,
        "problem": None if one.problem is None else one.problem.title,
    }
