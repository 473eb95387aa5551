"""Rows of watching: what browsers with every live screen open leave of the writers' throughput.

Another question than that of ``rows_viewers``: these look as often as the pages themselves ask
for, minutes long, so the console's own budget has its say.
"""

from __future__ import annotations

import os
import random
from functools import partial
from pathlib import Path

from sessionstore import open_store

from .console import Console
from .livepages import Watching
from .results import Result
from .rows_viewers import PACE, VIEWERS, writer
from .viewers import burning
from .workers import Window, Work, run_window

_KEYS = 2_000


def rows_watching(
    console: Console, store_path: Path, screens: list[str], token: str, *, seconds: float
) -> list[Result]:
    """One writer at a gateway's pace, then writers that saturate all cores but one."""
    with open_store(store_path, report=False) as store:
        keys = random.Random(1).sample(store.keys(), _KEYS)
    rows = []
    many = max((os.cpu_count() or 2) - 1, 1)
    for writers, pace in ((1, PACE), (many, 0)):
        prepare = partial(writer, store_path, keys, writers, pace)
        rows.append(_row(console, screens, token, writers, prepare, seconds, pace))
    return rows


def _row(
    console: Console,
    screens: list[str],
    token: str,
    writers: int,
    prepare: partial[Work],
    seconds: float,
    pace: int,
) -> Result:
    """Alone, watched for as long as asked, beside a load that only burns as much, alone again."""
    alone_s = max(seconds / 5, 5.0)
    before = run_window(writers, prepare, alone_s)
    used_s = -console.cpu_s()
    with Watching(console, screens, VIEWERS, token) as watch:
        watched = run_window(writers, prepare, seconds)
    cores = (used_s + console.cpu_s()) / seconds
    with burning(cores):
        burnt = run_window(writers, prepare, alone_s)
    after = run_window(writers, prepare, alone_s)
    alone = (before.per_second + after.per_second) / 2
    kept, beside = watched.per_second / alone, watched.per_second / burnt.per_second
    return Result(
        *(0, _what(writers, pace, seconds), f"HTTP, P={writers}, {os.cpu_count()} cores"),
        *("–", "≥ 95 %", _told(kept, cores, before, watched, watch.looks / seconds, beside)),
        kept >= 0.95,
        {
            "kept": kept,
            "console_cores": cores,
            "beside_burner": beside,
            "looks": float(watch.looks),
            "uneven": abs(before.per_second - after.per_second) / alone,
            "p99_ratio": watched.percentile_us(0.99) / before.percentile_us(0.99),
        },
    )


def _what(writers: int, pace: int, seconds: float) -> str:
    who = f"a writer of {pace:,}/s" if pace else "saturating writers"
    length = f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
    return f"{VIEWERS} browsers with every live screen open, {length}, leave {who}"


def _told(
    kept: float, cores: float, before: Window, watched: Window, looks: float, beside: float
) -> str:
    p99 = f"p99 {watched.percentile_us(0.99):.0f} µs, alone {before.percentile_us(0.99):.0f}"
    equal = f"{beside:.0%} of what an equal load leaves"
    return f"{kept:.0%}, {equal}; {p99} ({looks:.1f} looks/s, {cores:.0%} of a core)"
