"""Reading many small files: in inode order, and with threads once the disk proves cold.

Warm, one thread is fastest (the interpreter's lock); cold, inode order and eight threads are
3.7 times faster than directory order and one (performance.md §4).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Loaded = TypeVar("Loaded")

_PROBE = 64
_COLD_S = 150e-6  # per file; warm is 5 to 15 µs
_THREADS = 8
_WINDOW = 4096  # files in memory at a time


def names_by_inode(fd: int) -> list[str]:
    """Names in the open directory in the order that suits the disk; no ``stat`` needed."""
    with os.scandir(fd) as found:
        numbered = [(entry.inode(), entry.name) for entry in found]
    numbered.sort()
    return [name for _, name in numbered]


def load_each(names: Sequence[str], read: Callable[[str], Loaded]) -> Iterator[tuple[str, Loaded]]:
    """``(name, read(name))`` for each name, in order; ``read`` may run in another thread."""
    waiting = iter(names)
    started = time.perf_counter()
    probe = 0
    for name in islice(waiting, _PROBE):
        yield name, read(name)
        probe += 1
    if probe < _PROBE or time.perf_counter() - started < _PROBE * _COLD_S:
        for name in waiting:
            yield name, read(name)
        return
    with ThreadPoolExecutor(_THREADS) as threads:
        while window := list(islice(waiting, _WINDOW)):
            yield from zip(window, threads.map(read, window), strict=True)
