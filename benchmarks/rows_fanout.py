"""Rows of fan-out: 192 updates at once, by threads and by processes (requirements B6).

The time is from when all may begin to when the last is done. The order is looked at apart: the
callers queue up one after another behind a holder, and get their turn when it lets go.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from sessionstore import Store, open_store
from sessionstore.locks import held_locks

from .material import entries_of, keys_of
from .results import Result
from .rivals import Ours, filled
from .timing import median
from .workers import FORK

CALLERS = 192
_LIMIT_S = 60.0
_BETWEEN_S = 0.004
_PATIENCE_S = 120


def rows_fanout(folder: Path, *, rounds: int) -> list[Result]:
    """Both ways of calling, on as many sessions and on one."""
    filled(Ours, folder, entries_of(CALLERS)).close()
    rows = []
    for kind, run in (("threads", _by_threads), ("processes", _by_processes)):
        apart = [run(folder, keys_of(CALLERS)) for _ in range(rounds)]
        rows.append(_row(f"on {CALLERS} sessions", kind, apart, 2.0))
        together = [run(folder, [keys_of(1)[0]] * CALLERS) for _ in range(rounds)]
        rows.append(_row("on one session", kind, together, 5.0))
        rows.append(_order_row(kind, [_order(folder, kind) for _ in range(rounds)]))
    return rows


def _row(what: str, kind: str, taken_s: Sequence[float], limit_s: float) -> Result:
    longest_s = max(taken_s)
    return Result(
        *(0, f"{CALLERS} updates at once {what}", f"memory, {kind}", "–", f"< {limit_s:g} s"),
        f"{median(taken_s):.2f} s (longest {longest_s:.2f})",
        longest_s < limit_s,
        {"median_s": median(taken_s), "longest_s": longest_s},
    )


def _order_row(kind: str, displaced: Sequence[int]) -> Result:
    worst = max(displaced)
    return Result(
        *(0, f"{CALLERS} on one session, order of turns", f"memory, {kind}", "–", "FIFO ± 1"),
        f"± {worst}",
        worst <= 1,
        {"displaced": float(worst)},
    )


def _bump(entry: dict[str, Any] | None) -> dict[str, Any]:
    known = entry or {}
    return {**known, "count": known.get("count", 0) + 1}


def _opened(folder: Path) -> Store:
    return open_store(folder / "sessions.json", timeout=_LIMIT_S)


# --- How long -----------------------------------------------------------------------------------


def _by_threads(folder: Path, keys: Sequence[str]) -> float:
    ready = threading.Barrier(len(keys) + 1)
    with _opened(folder) as store:

        def call(key: str) -> None:
            ready.wait(_PATIENCE_S)
            store.update(key, _bump)

        threads = [threading.Thread(target=call, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        ready.wait(_PATIENCE_S)
        began = time.monotonic()
        for thread in threads:
            thread.join()
        return time.monotonic() - began


def _by_processes(folder: Path, keys: Sequence[str]) -> float:
    ready = FORK.Barrier(len(keys) + 1)
    pipes = [FORK.Pipe(duplex=False) for _ in keys]
    children = [
        FORK.Process(target=_call, args=(folder, key, ready, theirs))
        for key, (_, theirs) in zip(keys, pipes, strict=True)
    ]
    for child in children:
        child.start()
    ready.wait(_PATIENCE_S)
    spans = [_received(ours) for ours, _ in pipes]
    for child in children:
        child.join(_PATIENCE_S)
    return max(ended for _, ended in spans) - min(began for began, _ in spans)


def _received(pipe: Connection) -> tuple[float, float]:
    if not pipe.poll(_PATIENCE_S):
        raise TimeoutError("a caller failed")
    began, ended = pipe.recv()
    return began, ended


def _call(folder: Path, key: str, ready: Barrier, told: Connection) -> None:
    with _opened(folder) as store:
        store.get(key)  # whatever the first use of a store costs is not what is measured
        ready.wait(_PATIENCE_S)
        began = time.monotonic()
        store.update(key, _bump)
        told.send((began, time.monotonic()))


# --- In which order -----------------------------------------------------------------------------


def _order(folder: Path, kind: str) -> int:
    """How many places the most displaced caller is off; callers come one after another."""
    key, place = keys_of(1)[0], folder / f"order-{time.monotonic_ns()}"
    with _opened(folder) as store, _held(store, key) as let_go:
        start = _queue_thread if kind == "threads" else _queue_process
        waiting = []
        for number in range(CALLERS):
            waiting.append(start(store, folder, key, place, number))
            _wait_for_callers(store, number + 1)
        let_go()
        for join in waiting:
            join()
    turns = [int(line) for line in place.read_text().split()]
    if sorted(turns) != list(range(CALLERS)):
        raise RuntimeError("a caller had no turn")
    return max(abs(turn - caller) for turn, caller in enumerate(turns))


@contextmanager
def _held(store: Store, key: str) -> Iterator[Callable[[], None]]:
    """Hold the session in a thread of its own until the function that is given is called."""
    holding, over = threading.Event(), threading.Event()

    def work(entry: dict[str, Any] | None) -> dict[str, Any]:
        holding.set()
        over.wait(_PATIENCE_S)
        return _bump(entry)

    holder = threading.Thread(target=store.update, args=(key, work))
    holder.start()
    holding.wait(_PATIENCE_S)
    try:
        yield over.set
    finally:
        over.set()
        holder.join()


def _turn(store: Store, key: str, place: Path, number: int) -> None:
    def work(entry: dict[str, Any] | None) -> dict[str, Any]:
        with open(place, "a", encoding="ascii") as file:  # under the lock: one line at a time
            file.write(f"{number}\n")
        return _bump(entry)

    store.update(key, work)


def _queue_thread(
    store: Store, folder: Path, key: str, place: Path, number: int
) -> Callable[[], None]:
    thread = threading.Thread(target=_turn, args=(store, key, place, number))
    thread.start()
    return thread.join


def _queue_process(
    store: Store, folder: Path, key: str, place: Path, number: int
) -> Callable[[], None]:
    ours, theirs = FORK.Pipe(duplex=False)
    child = FORK.Process(target=_turn_of_process, args=(folder, key, place, number, theirs))
    child.start()
    ours.recv()  # it is about to ask
    return child.join


def _turn_of_process(folder: Path, key: str, place: Path, number: int, told: Connection) -> None:
    with _opened(folder) as store:
        store.get(key)
        told.send(True)
        _turn(store, key, place, number)


def _wait_for_callers(store: Store, count: int) -> None:
    """Wait until so many are in the queue, and have gone on from saying so to the kernel."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if sum(len(lock.waiters) for lock in held_locks(store.paths.sidecar)) >= count:
            time.sleep(_BETWEEN_S)
            return
        time.sleep(0.001)
    raise TimeoutError("not every caller came to wait")
