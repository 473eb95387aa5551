"""Several processes that hammer at once for a short window.

Windows of rivals alternate, and each figure is the median over the windows: what else runs on
the machine then touches all of them alike.
"""

from __future__ import annotations

import multiprocessing
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from time import perf_counter_ns

from .timing import jain, median, percentile

Work = Callable[[int], int | None]
"""One operation of a worker; what it returns is kept in place of its wall time in ns."""

Prepare = Callable[[int], Work]
"""Called in the worker with its number; returns one operation, which gets its turn."""

FORK = multiprocessing.get_context("fork")
_PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Window:
    """What the workers of one window did: nanoseconds of each operation, by worker."""

    wall_ns: list[array[int]]
    seconds: float

    @property
    def counts(self) -> list[int]:
        return [len(worker) for worker in self.wall_ns]

    @property
    def per_second(self) -> float:
        """Throughput of all workers together."""
        return sum(self.counts) / self.seconds

    @property
    def fairness(self) -> float:
        """Jain's index over the workers' counts."""
        return jain(self.counts)

    @property
    def smallest_share(self) -> float:
        """The slowest worker's count divided by the mean."""
        return min(self.counts) * len(self.counts) / max(sum(self.counts), 1)

    def percentile_us(self, share: float) -> float:
        """Over all operations of all workers."""
        merged = [value for worker in self.wall_ns for value in worker]
        return percentile(merged, share) / 1_000 if merged else float("nan")


def run_window(count: int, prepare: Prepare, seconds: float) -> Window:
    """Start ``count`` processes, let them work for ``seconds``, and collect their times."""
    barrier = FORK.Barrier(count)
    workers, results = [], []
    for number in range(count):
        ours, theirs = FORK.Pipe(duplex=False)
        worker = FORK.Process(target=_work, args=(number, prepare, seconds, barrier, theirs))
        worker.start()
        theirs.close()
        workers.append(worker)
        results.append(ours)
    wall_ns = []
    for result in results:
        if not result.poll(seconds + _PATIENCE_S):
            raise TimeoutError("a worker did not finish")
        times: array[int] = array("q")
        times.frombytes(result.recv_bytes())
        wall_ns.append(times)
    for worker in workers:
        worker.join(_PATIENCE_S)
    return Window(wall_ns, seconds)


def _work(
    number: int, prepare: Prepare, seconds: float, barrier: Barrier, result: Connection
) -> None:
    operation = prepare(number)
    operation(0)
    times: array[int] = array("q")
    append = times.append
    turn = 0
    barrier.wait(_PATIENCE_S)
    end = time.perf_counter_ns() + int(seconds * 1e9)
    while (started := perf_counter_ns()) < end:
        turn += 1
        kept = operation(turn)
        append(perf_counter_ns() - started if kept is None else kept)
    result.send_bytes(times.tobytes())


def medians(windows: list[Window], figure: Callable[[Window], float]) -> float:
    """The median of one figure over several windows."""
    return median([figure(window) for window in windows])
