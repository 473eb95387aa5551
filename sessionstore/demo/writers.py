"""Live writers for the demo: processes that use the public API the way gateways do.

They patch random sessions, now and then create one, and fight over one hot session that a slow
holder keeps for a second or two, so that the console has holders and waiters to show. They stop
on SIGTERM, when their parent is gone, and never create more than a bounded number of sessions.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ..entries import Entry
from ..errors import SessionStoreError
from ..files import status_of
from ..keys import MARKER_NAME
from ..paths import discover
from ..store import Store, open_store
from .cast import HOT_KEY
from .invent import Inventor
from .state import is_demo

_NEW_PER_WRITER = 40
_SLOW_EVERY_S = 8.0
_SLOW_HOLD_S = 1.6
_STOP_WAIT_S = 5.0


def run_writers(
    state_dir: str | os.PathLike[str],
    *,
    processes: int = 3,
    rate: float = 20.0,
    seconds: float | None = None,
) -> int:
    """Write into a demo until SIGTERM, SIGINT, or ``seconds`` have passed; returns how many failed.

    ``rate`` is updates per second and process. Only directories that :func:`build` made are
    written to. Blocks; call it from the main thread of a process of its own.

    Raises:
        ValueError: it is not a demo.
    """
    if not is_demo(state_dir):
        raise ValueError(f"{os.fspath(state_dir)} is not a demo; writers only write to demos")
    until = None if seconds is None else time.monotonic() + seconds
    with stop_signal() as stop:
        children = [start_writer(state_dir, number, rate=rate) for number in range(processes)]
        try:
            while not stop.is_set() and any(child.poll() is None for child in children):
                if until is not None and time.monotonic() >= until:
                    break
                stop.wait(0.2)
        finally:
            codes = stop_writers(children)
    # One that was still starting knew no better way to stop.
    return sum(code not in (0, -signal.SIGTERM) for code in codes)


def start_writer(
    state_dir: str | os.PathLike[str], number: int, *, rate: float = 20.0
) -> subprocess.Popen[bytes]:
    """Start one writer process. It stops by itself when this process is gone."""
    command = [sys.executable, "-m", "sessionstore.demo", os.fspath(state_dir)]
    of_ours = ["--writer", str(number), "--parent", str(os.getpid()), "--rate", str(rate)]
    return subprocess.Popen([*command, *of_ours])


def stop_writers(children: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Ask writers to stop and wait for them; returns their exit codes."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    codes = []
    for child in children:
        try:
            codes.append(child.wait(_STOP_WAIT_S))
        except subprocess.TimeoutExpired:
            child.kill()
            codes.append(child.wait())
    return codes


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set while the block runs."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def write_until_stopped(state_dir: Path, number: int, *, rate: float, parent: int) -> None:
    """The body of one writer process; ``parent`` is that of it, which may be gone already."""
    with stop_signal() as stop:
        writer = Writer(state_dir, number)
        try:
            while writer.stores and not stop.is_set() and os.getppid() == parent:
                writer.step()
                stop.wait(writer.random.expovariate(rate))
        finally:
            writer.close()


class Writer:
    """One writer: its stores, what it knows of their keys, and its habits."""

    def __init__(self, state_dir: Path, number: int) -> None:
        self.number = number
        self.random = random.Random()
        self.stores = _writable_stores(state_dir)
        self._keys = {store.path: store.keys() for store in self.stores}
        self._left = _NEW_PER_WRITER
        self._next_slow = time.monotonic() + self.random.uniform(0, _SLOW_EVERY_S)

    def step(self) -> None:
        """One update. A lock that was not to be had in time is part of the show."""
        try:
            if self.number == 0 and time.monotonic() >= self._next_slow:
                self._next_slow = time.monotonic() + _SLOW_EVERY_S
                self._hold_hot_session()
            elif self.random.random() < 0.15:
                self._patch_hot_session()
            elif self._left and self.random.random() < 0.02:
                self._create()
            else:
                self._patch_any()
        except SessionStoreError:
            pass  # a timeout, or one of the planted problems: a gateway would log it and go on

    def _hold_hot_session(self) -> None:
        def think(entry: Entry | None) -> Entry:
            time.sleep(_SLOW_HOLD_S)
            return {**_hot_entry(), **(entry or {}), "status": "running", "updatedAt": _now_ms()}

        self.stores[0].update(HOT_KEY, think)

    def _patch_hot_session(self) -> None:
        self.stores[0].patch(HOT_KEY, {**_hot_entry(), **self._activity()}, timeout=5.0)

    def _create(self) -> None:
        self._left -= 1
        store = self.random.choice(self.stores)
        seed = self.random.getrandbits(64)
        inventor = Inventor(store.agent_id or "main", seed=seed, now_ms=_now_ms())
        key = f"agent:{inventor.agent_id}:telegram:direct:{inventor.digits(9)}"
        entry = inventor.basics() | inventor.direct("telegram", key.rpartition(":")[2])
        store.put(key, entry | {"updatedAt": _now_ms()})
        self._keys[store.path].append(key)

    def _patch_any(self) -> None:
        store = self.random.choice(self.stores)
        # Recent sessions are busier than old ones; the square makes some keys favourites.
        keys = self._keys[store.path]
        key = keys[int(len(keys) * self.random.random() ** 2)]
        store.patch(key, self._activity(), create=False)

    def _activity(self) -> Entry:
        now = _now_ms()
        return {
            "updatedAt": now,
            "lastInteractionAt": now,
            "inputTokens": self.random.randrange(200, 20_000),
            "outputTokens": self.random.randrange(50, 4_000),
            "totalTokens": self.random.randrange(2_000, 150_000),
            "totalTokensFresh": True,
            "status": self.random.choice(("running", "done", "done", "done", "failed")),
        }

    def close(self) -> None:
        """Give back what the stores hold."""
        for store in self.stores:
            store.close()


def _writable_stores(state_dir: Path) -> list[Store]:
    """Adopted stores, ``main`` first; a write would change the layout of the others."""
    found = [
        paths
        for paths in discover(state_dir)
        if paths.problem is None and status_of(paths.directory / MARKER_NAME) is not None
    ]
    found.sort(key=lambda paths: (paths.agent_id != "main", paths.agent_id))
    return [open_store(paths.store_path) for paths in found]


def _hot_entry() -> Entry:
    return {"subject": "Busy group (invented)", "chatType": "group", "channel": "telegram"}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
