"""Load beside the writers: viewers who look at every screen, or a process that burns as much."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event

from .console import Client, Console
from .workers import FORK

_BURST_S = 0.02
_JOIN_S = 150


class Load:
    """Processes that run beside a window. Used as a context manager."""

    def __init__(self, body: Callable[[Event], None], processes: int = 1) -> None:
        self._stop = FORK.Event()
        self._processes = [
            FORK.Process(target=body, args=(self._stop,), daemon=True) for _ in range(processes)
        ]

    def __enter__(self) -> Load:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for process in self._processes:
            process.join(_JOIN_S)


def viewing(console: Console, addresses: list[str], viewers: int, every_s: float) -> Load:
    """Viewers who each ask for every address once per ``every_s``, evenly spread."""

    def body(stop: Event) -> None:
        threads = [
            threading.Thread(
                target=_view, args=(console, addresses, number / viewers, every_s, stop)
            )
            for number in range(viewers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

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
