"""How long waits, holds and writes of one store took in a stretch of time."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..recording.histograms import Histogram
from ..recording.records import (
    CHANGED,
    HOLD,
    PHASES,
    WAIT,
    WRITE,
    WRITTEN,
    Group,
    HotSession,
    Phase,
    Window,
)
from ..store import Store
from .history import History, Reporter
from .spans import Span
from .spreads import Spread, spread

TOP = 10


@dataclass(frozen=True, slots=True)
class OperationStats:
    """What one operation did; times in nanoseconds, sizes in bytes.

    ``count`` are all calls whatever their outcome, ``rate`` how many a second while anybody was
    there to report (None when nobody was). A call that timed out waited for at least its limit,
    and counts in ``wait`` with that. ``contended_share`` is of calls that did not get their lock at
    once, ``amplification`` how many bytes were written for each that had to change; both None where
    there is nothing to divide by. Of ``estimated`` calls the phases are taken to have been like
    those that were looked at (docs/metrics.md); everything else is of all calls.
    """

    count: int
    rate: float | None
    outcomes: Mapping[str, int]
    contended: int
    contended_share: float | None
    timeouts: int
    wait: Spread
    hold: Spread
    write: Spread
    phases: Mapping[Phase, Spread]
    written: Spread
    changed: Spread
    amplification: float | None
    estimated: int


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What writers reported between two times (epoch ms), added up over processes.

    ``is_exact`` is False where something is known to be missing: time in which nobody was there to
    report, reports that could not be read (``refused``), updates that a writer had no room to count
    (``dropped``), or looks at phases (``total.estimated``). ``covered_share`` (0 to 1) and ``gaps``
    say when somebody was there. Each ``top_by_…`` has at most ten sessions; :class:`HotSession`
    says how exact they are.
    """

    start_ms: int
    end_ms: int
    is_exact: bool
    covered_share: float
    gaps: tuple[Span, ...]
    refused: int
    dropped: int
    reporters: tuple[Reporter, ...]
    total: OperationStats
    operations: Mapping[str, OperationStats]
    reads: Mapping[str, Spread]
    top_by_hold: tuple[HotSession, ...]
    top_by_wait: tuple[HotSession, ...]
    top_by_bytes: tuple[HotSession, ...]


def stats(store: Store, *, window: float | tuple[int, int]) -> StoreStats:
    """Add up what the writers of a store have reported.

    ``window`` is how many seconds back from now, or start and end in epoch milliseconds. Writers
    report every few seconds, so the newest updates may not be in it yet. Old reports are coarser
    (docs/metrics.md): one counts where it ends. Takes no lock and changes nothing.

    Reads all reports: some 10 ms for an hour of one process, a second or two for three days of
    eight. Who asks often keeps a :class:`sessionstore.metrics.History` and asks
    :func:`sessionstore.metrics.stats_of`.

    Raises:
        ValueError: the window is empty, or not a finite time.
        UnsafeFileError, StoreIOError: the folder of reports cannot be read.
    """
    now_ms = time.time_ns() // 1_000_000
    start_ms, end_ms = _times(window, now_ms)
    history = History(store.paths)
    history.refresh(now_ms=now_ms)
    return stats_of(history, start_ms, end_ms)


def _times(window: float | tuple[int, int], now_ms: int) -> Span:
    if isinstance(window, tuple):
        if tuple(map(type, window)) == (int, int) and window[0] < window[1]:
            return window
    elif type(window) in (int, float) and math.isfinite(window) and window > 0:
        return max(now_ms - math.ceil(window * 1000), 0), now_ms
    raise ValueError(f"window is seconds, or (start, end) in milliseconds, not {window!r}")


def stats_of(history: History, start_ms: int, end_ms: int) -> StoreStats:
    """As :func:`stats`, from a history that has been refreshed."""
    total = history.total(start_ms, end_ms)
    gaps = history.gaps(start_ms, end_ms)
    covered_ms = end_ms - start_ms - sum(end - start for start, end in gaps)
    dropped = total.counters.get("dropped", 0)
    whole = _operation(total.groups, covered_ms)
    named = sorted({group.labels.operation for group in total.groups})
    return StoreStats(
        start_ms=start_ms,
        end_ms=end_ms,
        is_exact=not (gaps or history.refused or dropped or whole.estimated),
        covered_share=covered_ms / (end_ms - start_ms),
        gaps=tuple(gaps),
        refused=history.refused,
        dropped=dropped,
        reporters=tuple(_reporters_of(history, total)),
        total=whole,
        operations={name: _operation(_named(total.groups, name), covered_ms) for name in named},
        reads={name: spread(total.reads[name]) for name in sorted(total.reads)},
        top_by_hold=_top(total, "hold_ns"),
        top_by_wait=_top(total, "wait_ns"),
        top_by_bytes=_top(total, "written_bytes"),
    )


def _reporters_of(history: History, total: Window) -> Iterable[Reporter]:
    """Processes whose reports are in the sum, and those that live."""
    inside = {(process.host, process.pid, process.program) for process in total.processes}
    for one in history.reporters():
        if one.state == "alive" or (one.host, one.pid, one.program) in inside:
            yield one


def _named(groups: Iterable[Group], operation: str) -> list[Group]:
    return [group for group in groups if group.labels.operation == operation]


def _operation(groups: list[Group], covered_ms: int) -> OperationStats:
    series: dict[str, Histogram] = {}
    outcomes: Counter[str] = Counter()
    for group in groups:
        outcomes[group.labels.outcome] += group.count
        for name, histogram in group.series.items():
            series.setdefault(name, Histogram({})).merge(histogram)
    count = sum(group.count for group in groups)
    contended = sum(group.contended for group in groups)
    written, changed = spread(series.get(WRITTEN)), spread(series.get(CHANGED))
    return OperationStats(
        count=count,
        rate=count * 1000 / covered_ms if covered_ms else None,
        outcomes=dict(outcomes),
        contended=contended,
        contended_share=contended / count if count else None,
        timeouts=outcomes["timeout"],
        wait=spread(series.get(WAIT)),
        hold=spread(series.get(HOLD)),
        write=spread(series.get(WRITE)),
        phases={phase: spread(series.get(phase)) for phase in PHASES},
        written=written,
        changed=changed,
        amplification=written.total / changed.total if changed.total else None,
        estimated=sum(group.estimated for group in groups),
    )


def _top(total: Window, field: str) -> tuple[HotSession, ...]:
    found = [session for session in total.sessions if getattr(session, field)]
    found.sort(key=lambda session: (-getattr(session, field), session.key))
    return tuple(found[:TOP])
