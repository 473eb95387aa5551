"""Row 12: two processes instead of one, beside a raw replace and loops that share nothing."""

from __future__ import annotations

from pathlib import Path

from .material import entries_of
from .places import Place
from .results import Result, times
from .rival import Open
from .rivals import Ours, RawReplace, filled, patching
from .rows_locks import SESSIONS, own_keys
from .rows_update import Bench
from .timing import median
from .workers import Prepare, Work, run_window

_WINDOW_S = 0.3
FREE_CORES = 1.7
"""Below this gain of independent loops a second process had no core of its own."""


def _distinct(opening: Open, folder: Path, workers: int) -> Prepare:
    return lambda worker: patching(opening(folder), own_keys(worker, workers))


def _burn(worker: int) -> Work:
    def run(turn: int) -> None:
        for _ in range(500):
            pass

    return run


def row_12(bench: Bench) -> list[Result]:
    """Throughput of two processes ÷ one."""
    return [_row_12(place, rounds=9 if bench.full else 5) for place in bench.places]


def _row_12(place: Place, *, rounds: int) -> Result:
    with place.folder() as folder:
        rivals: dict[str, Open] = {"ours": Ours, "raw": RawReplace}
        for opening in rivals.values():
            filled(opening, folder, entries_of(SESSIONS)).close()
        found = _gains(folder, rivals, rounds)
    is_memory = place.kind == "tmpfs"
    limit = 1.6 if is_memory else 0.9 * found["raw"]
    # Loops that share nothing say whether there were two cores to be had at all.
    is_free = found["loops"] >= FREE_CORES
    return Result(
        12,
        "throughput of 2 processes ÷ 1" + ("" if is_free else " (the cores were taken)"),
        place.file_system,
        "2.02" if is_memory else "–",
        "≥ 1.6" if is_memory else "≥ 0.9 × raw's own",
        f"{times(found['ours'])} (raw {times(found['raw'])}, loops {times(found['loops'])})",
        found["ours"] >= limit if is_free else None,
        found,
    )


def _gains(folder: Path, rivals: dict[str, Open], rounds: int) -> dict[str, float]:
    """Two processes' throughput ÷ one's: medians of windows that alternate."""
    seen: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for workers in (1, 2):
            work: dict[str, Prepare] = {
                name: _distinct(opening, folder, workers) for name, opening in rivals.items()
            }
            for name, prepare in {**work, "loops": _burn}.items():
                window = run_window(workers, prepare, _WINDOW_S)
                seen.setdefault((name, workers), []).append(window.per_second)
    return {name: median(seen[name, 2]) / median(seen[name, 1]) for name, _ in seen}
