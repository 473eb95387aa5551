"""Rows of the console's cost: what its viewers leave of the writers' throughput."""

from __future__ import annotations

import itertools
import os
import random
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter_ns

from sessionstore import open_store

from .console import Console
from .material import fields_of
from .results import Result
from .timing import median
from .viewers import burning, viewing
from .workers import Window, Work, run_window

VIEWERS = 16
EVERY_S = 15.0
"""How often a live page of the console asks for itself."""
PACE = 1_000
"""Updates per second of a busy gateway's writer."""
_WINDOW_S = 5.0
_KEYS = 2_000


@dataclass(slots=True)
class Seen:
    """Windows of writers alone, with viewers, and beside a process that burns as much."""

    alone: list[Window] = field(default_factory=list)
    viewed: list[Window] = field(default_factory=list)
    burnt: list[Window] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)

    def kept(self) -> float:
        """Throughput with viewers ÷ alone."""
        pairs = zip(self.viewed, self.alone, strict=True)
        return median([viewed.per_second / alone.per_second for viewed, alone in pairs])

    def beside_burner(self) -> float:
        """Throughput with viewers ÷ beside the burner."""
        pairs = zip(self.viewed, self.burnt, strict=True)
        return median([viewed.per_second / burnt.per_second for viewed, burnt in pairs])


def row_viewers(
    console: Console, store_path: Path, screens: list[str], rounds: int
) -> list[Result]:
    """Writers that saturate all cores but one, then one writer at a gateway's pace."""
    with open_store(store_path) as store:
        keys = random.Random(1).sample(store.keys(), _KEYS)
    writers = max((os.cpu_count() or 2) - 1, 1)
    full = _watch(console, screens, writers, partial(writer, store_path, keys, writers, 0), rounds)
    paced = _watch(console, screens, 1, partial(writer, store_path, keys, 1, PACE), rounds)
    return [*_saturated(full, writers), _paced(paced)]


def _watch(
    console: Console, screens: list[str], writers: int, prepare: partial[Work], rounds: int
) -> Seen:
    seen = Seen()
    for _ in range(rounds):
        seen.alone.append(run_window(writers, prepare, _WINDOW_S))
        used_s = -console.cpu_s()
        with viewing(console, screens, VIEWERS, EVERY_S):
            seen.viewed.append(run_window(writers, prepare, _WINDOW_S))
        used_s += console.cpu_s()
        with burning(used_s / _WINDOW_S):
            seen.burnt.append(run_window(writers, prepare, _WINDOW_S))
        seen.cores.append(used_s / _WINDOW_S)
    return seen


def _saturated(seen: Seen, writers: int) -> list[Result]:
    rate = median([window.per_second for window in seen.alone])
    where = f"HTTP, P={writers}, {rate:,.0f}/s"
    cores = median(seen.cores)
    kept, beside_burner = seen.kept(), seen.beside_burner()
    what = f"{VIEWERS} viewers leave saturating writers"
    return [
        Result(
            *(0, what, where, "–", "≥ 95 %"),
            f"{kept:.0%} (the console used {cores:.0%} of a core)",
            kept >= 0.95,
            {"kept": kept, "console_cores": cores},
        ),
        Result(
            *(0, "the same ÷ an equal load on the processors alone", where, "–", "≥ 95 %"),
            f"{beside_burner:.0%}",
            beside_burner >= 0.95,
            {"kept": beside_burner},
        ),
    ]


def _paced(seen: Seen) -> Result:
    kept, cores = seen.kept(), median(seen.cores)
    alone = median([window.percentile_us(0.5) for window in seen.alone])
    viewed = median([window.percentile_us(0.5) for window in seen.viewed])
    return Result(
        *(0, f"{VIEWERS} viewers leave a writer of {PACE:,}/s", "HTTP, P=1", "–", "≥ 95 %"),
        f"{kept:.0%}; p50 {viewed:.0f} µs, alone {alone:.0f} "
        f"(the console used {cores:.0%} of a core)",
        kept >= 0.95,
        {"kept": kept, "console_cores": cores, "p50_ratio": viewed / alone},
    )


def writer(path: Path, keys: list[str], writers: int, pace: int, worker: int) -> Work:
    """Patch own sessions in turn, as fast as can be or ``pace`` times a second."""
    store = open_store(path)
    own = itertools.cycle(keys[worker::writers])
    started = time.monotonic()

    def patch(turn: int) -> int:
        nonlocal started
        if pace:
            late_s = time.monotonic() - started - turn / pace
            if turn == 0 or late_s > 1:
                started = time.monotonic() - turn / pace
            elif late_s < 0:
                time.sleep(-late_s)
        before = perf_counter_ns()
        store.patch(next(own), fields_of(turn), return_entry=False)
        return perf_counter_ns() - before

    return patch
