"""Load beside the writers: viewers who look at every screen, or a process that burns as much."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.synchronize import Event
from typing import Self

from .console import Client, Console
from .workers import FORK

_BURST_S = 0.02
_JOIN_S = 150


class Load:
    """Processes that run beside a window. Used as a context manager.

    One that fails before it is stopped makes the block fail: a window beside a load that was not
    there would look as if the load cost nothing.
    """

    def __init__(self, body: Callable[[Event], None], processes: int = 1) -> None:
        self._stop = FORK.Event()
        self._processes = [
            FORK.Process(target=body, args=(self._stop,), daemon=True) for _ in range(processes)
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        for process in self._processes:
            process.join(_JOIN_S)
        if kind is None and any(process.exitcode != 0 for process in self._processes):
            raise RuntimeError("the load failed, so no figure of this window counts")


def at_once(calls: Sequence[Callable[[], None]]) -> None:
    """Run these in threads of their own; what one of them raises is raised when all have ended."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for running in [pool.submit(call) for call in calls]:
            running.result()


def viewing(console: Console, addresses: list[str], viewers: int, every_s: float) -> Load:
    """Viewers who each ask for every address once per ``every_s``, evenly spread."""

    def body(stop: Event) -> None:
        phases = [number / viewers for number in range(viewers)]
        at_once([partial(_view, console, addresses, phase, every_s, stop) for phase in phases])

    return Load(body)


def _view(
    console: Console, addresses: list[str], phase: float, every_s: float, stop: Event
) -> None:
    client: Client = console.client()
    step_s = every_s / len(addresses)
    due = time.monotonic() + phase * step_s
    turn = 0
    while not stop.wait(max(due - time.monotonic(), 0)):
        client.get(addresses[turn % len(addresses)])
        turn += 1
        due += step_s


def burning(cores: float) -> Load:
    """Processes that together use this many cores and touch nothing."""
    processes = max(math.ceil(cores), 1)
    share = max(cores, 0.01) / processes

    def body(stop: Event) -> None:
        pause_s = _BURST_S * (1 / share - 1)
        while not stop.wait(pause_s):
            end = time.thread_time() + _BURST_S
            while time.thread_time() < end:
                pass

    return Load(body, processes)
