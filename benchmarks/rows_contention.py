"""Rows of contention: writers of different sessions beside the same under one lock for all.

Source of the targets: requirements A24. The ratio to one global lock depends on the cores there
are, so it has a verdict only where there are eight.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from time import perf_counter_ns

from sessionstore.locks import open_locks

from .material import entries_of, keys_of
from .results import Result, times
from .rivals import Ours, filled, patching
from .rivals_whole import WholeFile
from .rows_locks import Waits
from .timing import median
from .workers import Window, Work, run_window

WRITERS = 16
SESSIONS = 5_000
ENOUGH_CORES = 8


def rows_writers(folder: Path, *, window_s: float, rounds: int) -> list[Result]:
    """16 writers, each of its own session, of 5,000; windows of every kind in turn."""
    ours, whole = folder / "ours", folder / "whole"
    for path in (ours, whole):
        path.mkdir()
    filled(Ours, ours, entries_of(SESSIONS)).close()
    filled(WholeFile, whole, entries_of(SESSIONS)).close()
    seen: dict[str, list[Window]] = {"ours": [], "waits": [], "global": [], "whole": []}
    kinds = {
        "ours": partial(_own_session, ours),
        "waits": partial(_own_waits, ours),
        "global": partial(_under_one_lock, ours),
        "whole": partial(_whole_file, whole),
    }
    for _ in range(rounds):
        for name, prepare in kinds.items():
            seen[name].append(run_window(WRITERS, prepare, window_s))
    return [_beside_whole(seen), _beside_global(seen), _waiting(seen["waits"])]


def own_key(worker: int) -> str:
    """The one session of a writer, spread over the store."""
    return keys_of(SESSIONS)[worker * (SESSIONS // WRITERS)]


def _own_session(folder: Path, worker: int) -> Work:
    patch = patching(Ours(folder), [own_key(worker)])

    def run(turn: int) -> None:
        patch(turn)

    return run


def _own_waits(folder: Path, worker: int) -> Work:
    """The same; kept is the wait for the lock."""
    waits = Waits()
    patch = patching(Ours(folder, recorder=waits), [own_key(worker)])

    def run(turn: int) -> int:
        patch(turn)
        return waits.wait_ns

    return run


def _under_one_lock(folder: Path, worker: int) -> Work:
    """The same store behind one lock for all, as fair and as quick as a session's own."""
    patch = patching(Ours(folder), [own_key(worker)])
    locks = open_locks(folder / "global")

    def run(turn: int) -> int:
        began = perf_counter_ns()
        with locks.key("global", "measure", 60):
            patch(turn)
        return perf_counter_ns() - began

    return run


def _whole_file(folder: Path, worker: int) -> Work:
    patch = patching(WholeFile(folder), [own_key(worker)])

    def run(turn: int) -> None:
        patch(turn)

    return run


def _rate(windows: list[Window]) -> float:
    return median([window.per_second for window in windows])


def _ratio(ours: list[Window], others: list[Window]) -> float:
    pairs = zip(ours, others, strict=True)
    return median([one.per_second / max(other.per_second, 1e-9) for one, other in pairs])


def _where() -> str:
    return f"memory, P={WRITERS}, {os.cpu_count()} cores"


def _beside_whole(seen: dict[str, list[Window]]) -> Result:
    ratio = _ratio(seen["ours"], seen["whole"])
    rates = f"{_rate(seen['ours']):,.0f}, {_rate(seen['whole']):,.0f}/s"
    return Result(
        *(0, f"{WRITERS} writers of {SESSIONS:,} sessions ÷ one file and lock", _where()),
        *("–", "≥ 8 ×", f"{times(ratio)} × ({rates})"),
        ratio >= 8,
        {"ratio": ratio, "per_second": _rate(seen["ours"]), "whole": _rate(seen["whole"])},
    )


def _beside_global(seen: dict[str, list[Window]]) -> Result:
    ratio = _ratio(seen["ours"], seen["global"])
    has_cores = (os.cpu_count() or 1) >= ENOUGH_CORES
    return Result(
        *(0, f"{WRITERS} writers ÷ this store under one lock", _where()),
        *("–", f"≥ 8 × on ≥ {ENOUGH_CORES} cores", f"{times(ratio)} ×"),
        ratio >= 8 if has_cores else None,
        {"ratio": ratio},
    )


def _waiting(waits: list[Window]) -> Result:
    p99_ms = median([window.percentile_us(0.99) for window in waits]) / 1e3
    longest_ms = max(window.percentile_us(1.0) for window in waits) / 1e3
    return Result(
        *(0, f"{WRITERS} writers, wait for the lock, p99", _where(), "–", "< 50 ms"),
        f"{p99_ms:.3f} ms (longest {longest_ms:.1f})",
        p99_ms < 50,
        {"p99_ms": p99_ms, "longest_ms": longest_ms},
    )
