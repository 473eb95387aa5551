"""Children whose reports are looked at after their end."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from sessionstore import Store, open_store
from sessionstore.recording import flusher, reporter_of

KEY = "agent:main:a"
HOW = ("return", "sys.exit", "closed", "pool")


def patch_times(store: Store, times: int, key: str = KEY) -> None:
    """Patches that each change something, also beside another process that does the same."""
    for number in range(times):
        store.patch(key, {"n": f"{os.getpid()} {number}"}, return_entry=False)


def write_and_leave(path: Path, times: int, key: str) -> None:
    """As a child of multiprocessing, which skips ``atexit``; the store is never closed."""
    patch_times(open_store(path), times, key)


def write_and_wait(path: Path, times: int, pipe: Connection) -> None:
    """Flush what there is, write as much again, and wait to be killed."""
    store = open_store(path)
    patch_times(store, times)
    reporter_of(store.paths.sidecar).flush()
    patch_times(store, times)
    pipe.send("written")
    pipe.recv()


def fork_and_write(path: Path, times: int) -> None:
    """A parent with unwritten rows forks; both go on."""
    store = open_store(path)
    patch_times(store, times)
    pid = os.fork()
    patch_times(store, times if pid else 2 * times)
    flusher.flush_all()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


def main(path: Path, how: str, times: int) -> None:
    """Run as a program: ``reporting.py <store file> <how to end> <updates>``."""
    store = open_store(path)
    if how == "pool":
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.starmap(write_and_leave, [(path, times, f"{KEY}:{n}") for n in range(2)])
            pool.close()
            pool.join()
        return
    patch_times(store, times)
    ends: dict[str, Callable[[], object]] = {
        "return": lambda: None,
        "sys.exit": lambda: sys.exit(0),
        "closed": store.close,
    }
    ends[how]()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
