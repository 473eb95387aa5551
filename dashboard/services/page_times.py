"""How long lists of sessions took the server, known to all processes of one console.

Each process keeps its last times in a small memory-mapped file below the data directory, so that
noting one costs no system call and the job runner sees what web workers measured. A time that is
being written while another process reads is left out by its check sum.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from django.conf import settings

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_SLOTS = 512
_SLOT = struct.Struct("<QQI")  # epoch ms, microseconds, CRC-32 of both
_FORGET_S = 3_600.0


def timed(view: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Note how long each call of a list's view takes, its page made."""

    @wraps(view)
    def measured(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        began_s = time.perf_counter()
        try:
            return view(*args, **kwargs)
        finally:
            _note(time.perf_counter() - began_s)

    return measured


def list_times(since_ms: int) -> list[float]:
    """Seconds that lists took since then, in every process; unordered. Reads 10 KB for each."""
    return [took_us / 1e6 for at_ms, took_us in _all() if at_ms >= since_ms]


class _Ring:
    """The last times of this process."""

    def __init__(self, place: Path) -> None:
        self.place = place
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _SLOTS * _SLOT.size)
            self._memory = mmap.mmap(descriptor, _SLOTS * _SLOT.size)
        finally:
            os.close(descriptor)
        self._next = 0

    def note(self, took_s: float) -> None:
        at_ms, took_us = time.time_ns() // 1_000_000, int(took_s * 1e6)
        sealed = _SLOT.pack(at_ms, took_us, _seal(at_ms, took_us))
        at = self._next % _SLOTS * _SLOT.size
        self._memory[at : at + _SLOT.size] = sealed
        self._next += 1


_mine: tuple[tuple[int, Path], _Ring] | None = None
_guard = threading.Lock()


def _note(took_s: float) -> None:
    global _mine
    wanted = (os.getpid(), _folder())
    with _guard:
        if _mine is None or _mine[0] != wanted:  # a fork, or another data directory
            _mine = wanted, _begin(wanted[1])
        _mine[1].note(took_s)


def _begin(folder: Path) -> _Ring:
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in _files(folder):
        # Memory-mapped writes leave no time on the file, so its own slots say when it was used.
        newest_ms = max((at_ms for at_ms, _took in _slots(path)), default=0)
        if time.time() - max(newest_ms / 1000, _changed_s(path)) > _FORGET_S:
            path.unlink(missing_ok=True)
    return _Ring(folder / f"{os.getpid()}-{time.time_ns():x}.times")


def _all() -> Iterator[tuple[int, int]]:
    for path in _files(_folder()):
        yield from _slots(path)


def _slots(path: Path) -> Iterator[tuple[int, int]]:
    try:
        packed = path.read_bytes()[: _SLOTS * _SLOT.size]
    except FileNotFoundError:
        return  # another process has tidied up
    for at in range(0, len(packed) - _SLOT.size + 1, _SLOT.size):
        at_ms, took_us, seal = _SLOT.unpack_from(packed, at)
        if at_ms and seal == _seal(at_ms, took_us):
            yield at_ms, took_us


def _seal(at_ms: int, took_us: int) -> int:
    return zlib.crc32(struct.pack("<QQ", at_ms, took_us))


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix == ".times"]
    except FileNotFoundError:
        return []


def _folder() -> Path:
    folder: Path = settings.DATA_DIR / "pages"
    return folder
