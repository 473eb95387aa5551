"""Tables without targets: every rival at every size, and tails with several processes."""

from __future__ import annotations

from pathlib import Path

from .material import SMALL_BYTES, entries_of, keys_of
from .places import Place
from .results import Table, times
from .rivals import OURS, RIVALS, SLOW, filled, patching
from .rows_locks import SESSIONS, own_keys
from .rows_rivals import BLOATED, Size, beside
from .rows_update import Bench
from .timing import Samples
from .workers import Prepare, Window, medians, run_window

_PROCESSES = (1, 2, 4, 8)
_WINDOW_S = 0.4


def sizes_table(bench: Bench, place: Place) -> Table:
    """One process, sessions in turn: p50 and CPU of one update, as multiples of ours."""
    others = [name for name in RIVALS if name != OURS]
    quick = [name for name in others if name not in SLOW]
    rows = []
    for size in _sizes(bench, place):
        slow_too = bench.full or size.sessions <= 10_000
        samples = beside(place, size, others if slow_too else quick)
        ours = samples[OURS]
        cells = [_relative(samples[name], ours) if name in samples else "–" for name in others]
        rows.append([size.name, f"{ours.p50_us:,.0f} µs", *cells])
    title = f"One update, one process, {place.file_system}: p50 (CPU) ÷ ours"
    return Table(title, ["sessions", OURS, *others], rows)


def _relative(rival: Samples, ours: Samples) -> str:
    return f"{times(rival.p50_us / ours.p50_us)} ({times(rival.cpu_us / ours.cpu_us)})"


def _sizes(bench: Bench, place: Place) -> list[Size]:
    small = [Size(100, SMALL_BYTES, 40), Size(1_000, SMALL_BYTES, 20)]
    more = [Size(10_000, SMALL_BYTES, 5), Size(*BLOATED, 3)]
    if bench.full:
        long = [Size(50_000, SMALL_BYTES, 3), Size(100_000, SMALL_BYTES, 3)]
        return [*small, *more, *long]
    if place.kind == "tmpfs":
        return [*small, *more, Size(100_000, SMALL_BYTES, 30)]
    return small


def tails_table(bench: Bench, place: Place) -> Table:
    """Several processes at once, each on its own sessions or all on one."""
    rows = []
    with place.folder() as folder:
        for name, opening in RIVALS.items():
            filled(opening, folder / name, entries_of(SESSIONS)).close()
        for hot in (False, True):
            for count in _PROCESSES[hot:]:
                windows: dict[str, list[Window]] = {name: [] for name in RIVALS}
                for _ in range(3 if bench.full else 1):
                    for name in RIVALS:
                        prepare = _hammer(name, folder / name, 0 if hot else count)
                        windows[name].append(run_window(count, prepare, _WINDOW_S))
                rows += [_tail(hot, count, name, found) for name, found in windows.items()]
    columns = ["sessions", "processes", "store", "p50 µs", "p99 µs", "max ms", "1/s", "Jain"]
    return Table(f"Tails, {SESSIONS:,} sessions, {place.file_system}", columns, rows)


def _hammer(name: str, folder: Path, share: int) -> Prepare:
    """Each worker its own share of the sessions; 0 means one session for all."""
    return lambda worker: patching(
        RIVALS[name](folder), own_keys(worker, share) if share else keys_of(1)
    )


def _tail(hot: bool, count: int, name: str, windows: list[Window]) -> list[str]:
    return [
        "one, hot" if hot else "own",
        str(count),
        name,
        f"{medians(windows, lambda window: window.percentile_us(0.5)):,.0f}",
        f"{medians(windows, lambda window: window.percentile_us(0.99)):,.0f}",
        f"{medians(windows, lambda window: window.percentile_us(1) / 1e3):,.1f}",
        f"{medians(windows, lambda window: window.per_second):,.0f}",
        f"{medians(windows, lambda window: window.fairness):.2f}",
    ]
