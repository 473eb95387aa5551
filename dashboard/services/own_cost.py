"""What the console itself costs: the time that its processes spend on reading stores and on looks.

Every call in a store's thread (:mod:`.workers`) is measured, and the processor time of every answer
to something that asks by itself: live parts of pages, and ``/metrics``. Each process publishes its
sums every few seconds, and at its end, as a file ``costs/<host>-<pid>-<start>.cost`` of the data
directory; the sum over these files never falls, since files of dead processes are added up in
``costs/past.cost`` before they go. A killed process takes along what it had not published.

The time of reading is the clock's, not the processor's: waiting for a slow disk is a cost to
whoever else waits for that disk. That of answers is the processor's, since what they wait for is
reading, which counts already.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import msgspec
from django.conf import settings

from sessionstore.errors import SessionStoreError
from sessionstore.locks.alone import claim
from sessionstore.locks.identity import own_identity, start_of
from sessionstore.metrics import Histogram

from . import own_files

OPERATIONS = ("discover", "index", "reads")
"""Finding stores, keeping an index current, and everything else that is read in a store's thread:
files, locks, reported updates."""
PUBLISH_S = 5.0
RECENT_S = 30.0
_SUFFIX = ".cost"
_PAST = f"past{_SUFFIX}"


class Cost(msgspec.Struct):
    """What one process has spent so far, or, in the file of the past, all that are dead.

    ``scans`` are histograms of nanoseconds by operation, ``recent_s`` the seconds that were spent
    within the last :data:`RECENT_S`. ``added`` are names of files that are in this sum already.
    """

    pid: int = 0
    start: int = 0
    written_ms: int = 0
    recent_s: float = 0.0
    scans: dict[str, Histogram] = {}
    added: list[str] = []


class Ledger:
    """The costs of this process. Safe to use from many threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._scans: dict[str, Histogram] = {}
        self._recent: deque[tuple[float, float]] = deque()
        self._running: dict[object, float] = {}
        self._count = 0

    @contextmanager
    def measured(self, operation: str) -> Iterator[None]:
        """Count the time that the block takes; what is still running counts as recent, too."""
        token, began_s = object(), time.monotonic()
        with self._guard:
            self._running[token] = began_s
        try:
            yield
        finally:
            ended_s = time.monotonic()
            with self._guard:
                del self._running[token]
                self._recent.append((began_s, ended_s))
                self._scans.setdefault(operation, Histogram({})).add(int((ended_s - began_s) * 1e9))
                self._count += 1

    def answered(self, took_s: float) -> None:
        """Count processor time that an answer has just taken."""
        now_s = time.monotonic()
        with self._guard:
            self._recent.append((now_s - took_s, now_s))
            self._count += 1

    def recent_s(self) -> float:
        """Seconds spent within the last :data:`RECENT_S`, by all threads together."""
        now_s = time.monotonic()
        since_s = now_s - RECENT_S
        with self._guard:
            while self._recent and self._recent[0][1] < since_s:
                self._recent.popleft()
            spans = [*self._recent, *((began_s, now_s) for began_s in self._running.values())]
        return sum(max(0.0, ended_s - max(began_s, since_s)) for began_s, ended_s in spans)

    def cost(self) -> Cost:
        """The sums as they are published."""
        identity = own_identity()
        recent_s = self.recent_s()
        with self._guard:
            scans = {name: _copied(histogram) for name, histogram in self._scans.items()}
        return Cost(identity.pid, identity.start, _now_ms(), recent_s, scans)

    @property
    def count(self) -> int:
        """How many calls were measured."""
        return self._count


def _copied(histogram: Histogram) -> Histogram:
    return Histogram(dict(histogram.counts), histogram.total, histogram.maximum)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


_ledger: tuple[int, Ledger] | None = None
_ledger_guard = threading.Lock()


def ledger() -> Ledger:
    """The ledger of this process; a new one after a fork. The first call begins to publish."""
    global _ledger
    known = _ledger
    if known is not None and known[0] == os.getpid():
        return known[1]
    with _ledger_guard:
        if _ledger is None or _ledger[0] != os.getpid():
            _ledger = (os.getpid(), Ledger())
            threading.Thread(
                target=_publish_for_ever, args=(_ledger[1],), name="costs", daemon=True
            ).start()
        return _ledger[1]


def measured(operation: str) -> AbstractContextManager[None]:
    """Count the time that the block takes as this process's."""
    return ledger().measured(operation)


def answered(took_s: float) -> None:
    """Count the processor time of an answer to something that asks by itself, again and again."""
    ledger().answered(took_s)


def recent_of_all_s() -> float:
    """Seconds that all living processes of the console spent within the last :data:`RECENT_S`.

    Of the others it is what they published last; one that has not for a while is left out.
    """
    identity, now_ms = own_identity(), _now_ms()
    mine = _name(identity.host, identity.pid, identity.start)
    return ledger().recent_s() + sum(
        cost.recent_s
        for name, cost in costs()
        if name != mine and now_ms - cost.written_ms < RECENT_S * 1000
    )


def folder() -> Path:
    """Where costs are published."""
    return Path(settings.DATA_DIR) / "costs"


def _name(host: str, pid: int, start: int) -> str:
    return f"{host}-{pid}-{start}{_SUFFIX}"


def _publish_for_ever(mine: Ledger) -> None:
    pid, published = os.getpid(), 0
    atexit.register(_publish_last, mine, pid)
    publish(mine)
    _add_up_the_dead()
    while True:
        time.sleep(PUBLISH_S)
        if mine.count != published or mine.recent_s():
            published = mine.count
            publish(mine)


def _publish_last(mine: Ledger, pid: int) -> None:
    if os.getpid() == pid and mine.count:
        publish(mine)


def publish(mine: Ledger) -> None:
    """Write this process's sums; what cannot be written now is written the next time."""
    identity = own_identity()
    path = folder() / _name(identity.host, identity.pid, identity.start)
    with suppress(OSError, SessionStoreError):
        own_files.replace(path, msgspec.msgpack.encode(mine.cost()))


def _read(path: Path) -> Cost | None:
    data = own_files.content(path)
    try:
        return None if data is None else msgspec.msgpack.decode(data, type=Cost)
    except msgspec.MsgspecError:
        return None


def costs() -> list[tuple[str, Cost]]:
    """What every process has published, by the name of its file, the past among them."""
    place = folder()
    past = _read(place / _PAST) or Cost()
    added = {*past.added, _PAST}
    found = [(name, _read(place / name)) for name in own_files.names(place, _SUFFIX)]
    kept = [(name, cost) for name, cost in found if cost is not None and name not in added]
    return [(_PAST, past), *kept]


def process_files() -> list[str]:
    """Names of processes of the console that live or died lately, as ``<host>-<pid>-<start>``."""
    past = _read(folder() / _PAST) or Cost()
    return [
        name.removesuffix(_SUFFIX) for name in (*past.added, *own_files.names(folder(), _SUFFIX))
    ]


def _add_up_the_dead() -> None:
    """Add the sums of dead processes to the past, then remove their files.

    Their names are in the past's file from the moment that their sums are, so that a kill in
    between counts nothing twice.
    """
    place = folder()
    with suppress(OSError, SessionStoreError):
        release = claim(place, "costs")
        if release is None:
            return
        try:
            _add_up(place)
        finally:
            release()


def _add_up(place: Path) -> None:
    there = costs()
    past = there[0][1]
    dead = [(name, cost) for name, cost in there[1:] if start_of(cost.pid) != cost.start]
    left = [name for name in past.added if (place / name).exists()]
    for name in left:
        own_files.remove(place / name)
    if not dead:
        return
    for _name_of, cost in dead:
        for operation, histogram in cost.scans.items():
            past.scans.setdefault(operation, Histogram({})).merge(histogram)
    past.added = [name for name, _cost in dead]
    own_files.replace(place / _PAST, msgspec.msgpack.encode(past))
    for name in past.added:
        own_files.remove(place / name)
