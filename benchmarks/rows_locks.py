"""Rows 9–11: waiting, fairness and exclusive mode, each beside a control in the same run."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter_ns

from sessionstore import open_store
from sessionstore.locks import open_locks

from .material import entries_of, keys_of
from .places import Place
from .results import Result, times
from .rival import Open
from .rivals import NaiveDirectory, Ours, filled, patching
from .rows_update import Bench
from .timing import median, percentile
from .workers import Window, Work, medians, run_window

SESSIONS = 1_000
HOLD_S = 300e-6


def own_keys(worker: int, count: int) -> list[str]:
    """A worker's own share of the sessions."""
    return keys_of(SESSIONS)[worker::count]


class Waits:
    """A recorder that keeps the latest wait for a lock."""

    wait_ns = 0

    def record(
        self,
        operation: str,
        outcome: str,
        wait_ns: int,
        hold_ns: int,
        write_ns: int,
        written_bytes: int,
        contended: bool,
    ) -> None:
        self.wait_ns = wait_ns


def _waits_and_noops(folder: Path, workers: int, worker: int) -> Work:
    """Odd turns: a patch, kept is its wait. Even turns: three calls that lock nothing."""
    waits = Waits()
    patch = patching(Ours(folder, recorder=waits), own_keys(worker, workers))
    fd = os.open(folder, os.O_RDONLY)
    call, get = fcntl.fcntl, fcntl.F_GETFD

    def run(turn: int) -> int:
        if turn & 1:
            patch(turn)
            return waits.wait_ns
        started = perf_counter_ns()
        call(fd, get)
        call(fd, get)
        call(fd, get)
        return perf_counter_ns() - started

    return run


def _global_waits(folder: Path, workers: int, worker: int) -> Work:
    """The same patches behind one lock for all, as fair and as quick as a session's own."""
    patch = patching(Ours(folder), own_keys(worker, workers))
    locks = open_locks(folder / "global")

    def run(turn: int) -> int:
        with locks.key("global", "measure", 60) as hold:
            patch(turn)
        return hold.acquired_ns - hold.asked_ns

    return run


def _p99(window: Window, first: int, step: int) -> float:
    return percentile([ns for worker in window.wall_ns for ns in worker[first::step]], 0.99)


def row_9(bench: Bench) -> list[Result]:
    """Waiting for a lock while others work on other sessions."""
    place = bench.memory[0]
    prototypes = {1: "3.8", 2: "2.4", 4: "2.2", 8: "4.8"}
    results = []
    with place.folder() as folder:
        filled(Ours, folder, entries_of(SESSIONS)).close()
        for workers, prototype in prototypes.items():
            to_noop, below_global = [], []
            for _ in range(9):
                ours = run_window(workers, partial(_waits_and_noops, folder, workers), 0.25)
                shared = run_window(workers, partial(_global_waits, folder, workers), 0.25)
                wait_ns = _p99(ours, 0, 2)
                to_noop.append(wait_ns / _p99(ours, 1, 2))
                below_global.append(_p99(shared, 0, 1) / wait_ns)
            found = median(to_noop), median(below_global)
            results.append(_row_9(place, workers, prototype, *found))
    return results


def _row_9(place: Place, workers: int, prototype: str, to_noop: float, below: float) -> Result:
    limit = 8 if workers > 4 else 4
    alone = workers == 1
    return Result(
        9,
        f"lock wait ÷ no-op, other sessions, p99, P={workers}",
        place.file_system,
        prototype,
        f"≤ {limit}" + ("" if alone else "; ≥ 50 × below a global lock"),
        f"{times(to_noop)}" + ("" if alone else f"; {times(below)} × below"),
        to_noop <= limit and (alone or below >= 50),
        {"to_noop": to_noop, "below_global": below},
    )


def _hot(opening: Open, folder: Path, worker: int) -> Work:
    return patching(opening(folder), keys_of(1))


def row_10(bench: Bench) -> list[Result]:
    """Four processes on one session, without a pause."""
    place = bench.memory[0]
    with place.folder() as folder:
        for opening in (Ours, NaiveDirectory):
            filled(opening, folder, entries_of(10)).close()
        ours, naive = [], []
        for _ in range(5 if bench.full else 3):
            ours.append(run_window(4, partial(_hot, Ours, folder), 1.5))
            naive.append(run_window(4, partial(_hot, NaiveDirectory, folder), 1.5))
    tail_us = medians(ours, lambda window: window.percentile_us(0.999))
    naive_us = medians(naive, lambda window: window.percentile_us(0.999))
    fairness = medians(ours, lambda window: window.fairness)
    share = medians(ours, lambda window: window.smallest_share)
    result = partial(Result, 10, place=place.file_system)
    return [
        result(
            what="hot session, P=4: FileLock ÷ ours, p99.9",
            prototype="26 × (308, 12 ms)",
            target="≥ 10 ×",
            result=f"{times(naive_us / tail_us)} × ({naive_us / 1e3:.0f}, {tail_us / 1e3:.1f} ms)",
            passed=naive_us / tail_us >= 10,
            figures={"ratio": naive_us / tail_us},
        ),
        result(
            what="hot session, P=4: fairness, smallest share",
            prototype="0.99",
            target="Jain ≥ 0.98; share ≥ 0.7",
            result=f"{fairness:.3f}; {share:.2f}",
            passed=fairness >= 0.98 and share >= 0.7,
            figures={
                "jain": fairness,
                "share": share,
                "filelock_jain": medians(naive, lambda window: window.fairness),
            },
        ),
    ]


def _exclusive_or_hold(folder: Path, workers: int, worker: int) -> Work:
    """Worker 0 takes exclusive mode again and again; the others hold one session each."""
    with open_store(folder / "sessions.json") as store:
        locks = open_locks(store.paths.sidecar)
    keys = own_keys(worker, workers)

    def enter(turn: int) -> int:
        time.sleep(0.002)
        started = perf_counter_ns()
        with locks.exclusive("measure", 60):
            return perf_counter_ns() - started

    def hold(turn: int) -> int:
        with locks.key(keys[turn % len(keys)], "measure", 60):
            started = perf_counter_ns()
            time.sleep(HOLD_S)
            return perf_counter_ns() - started

    return hold if worker else enter


def _gate(folder: Path, worker: int) -> Work:
    """The same with a shared gate lock and no turnstile."""
    fd = os.open(folder / "gate", os.O_RDWR | os.O_CREAT, 0o600)

    def enter(turn: int) -> int:
        time.sleep(0.002)
        started = perf_counter_ns()
        fcntl.flock(fd, fcntl.LOCK_EX)
        wait_ns = perf_counter_ns() - started
        fcntl.flock(fd, fcntl.LOCK_UN)
        return wait_ns

    def hold(turn: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_SH)
        time.sleep(HOLD_S)
        fcntl.flock(fd, fcntl.LOCK_UN)

    return hold if worker else enter


def row_11(bench: Bench) -> list[Result]:
    """Exclusive mode while sessions are held without a gap."""
    place = bench.memory[0]
    results = []
    with place.folder() as folder:
        filled(Ours, folder, entries_of(SESSIONS)).close()
        for holders in (2, 8):
            prepare = partial(_exclusive_or_hold, folder, holders + 1)
            windows = [run_window(holders + 1, prepare, 1.0) for _ in range(3)]
            results.append(_row_11(place, holders, windows))
        gate = run_window(9, partial(_gate, folder), 1.0)
    longest_s = max(gate.wall_ns[0], default=0) / 1e9
    results.append(
        Result(
            11,
            "control: gate without a turnstile starves, P=8",
            place.file_system,
            "never let in",
            "waits for the whole run",
            f"{longest_s:.2f} s of {gate.seconds:.0f} s",
            longest_s >= 0.9 * gate.seconds,
            {"longest_s": longest_s},
        )
    )
    return results


def _row_11(place: Place, holders: int, windows: list[Window]) -> Result:
    def at_p50(window: Window) -> float:
        holds = [ns for worker in window.wall_ns[1:] for ns in worker]
        return percentile(window.wall_ns[0], 0.5) / percentile(holds, 0.5)

    def at_most(window: Window) -> float:
        return max(window.wall_ns[0]) / max(max(worker) for worker in window.wall_ns[1:])

    usual, worst = medians(windows, at_p50), medians(windows, at_most)
    count = min(len(window.wall_ns[0]) for window in windows)
    return Result(
        11,
        f"exclusive mode under load ÷ hold, P={holders}",
        place.file_system,
        "0.8–1.6 p50",
        "≤ 3 p50; ≤ 15 max",
        f"{times(usual)} p50; {times(worst)} max ({count} entries a second)",
        usual <= 3 and worst <= 15,
        {"p50": usual, "max": worst},
    )


ROWS: list[Callable[[Bench], list[Result]]] = [row_9, row_10, row_11]
