"""A separate process that holds, awaits or loops over locks, told what to do by arguments.

It prints ``ready`` when it has what it was asked for, and ends when its standard input does.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from pathlib import Path

from sessionstore.locks import LegacyLock, open_locks


def hold(sidecar: str, protocol: str, key: str) -> None:
    locks = open_locks(Path(sidecar), protocol=protocol, program="holder")
    with locks.key(key, "update", 30.0):
        _ready_until_told()


def exclusive(sidecar: str, protocol: str) -> None:
    locks = open_locks(Path(sidecar), protocol=protocol, program="switcher")
    with locks.exclusive("switch", 30.0):
        _ready_until_told()


def wait(sidecar: str, protocol: str, key: str) -> None:
    locks = open_locks(Path(sidecar), protocol=protocol, program="waiter")
    print("ready", flush=True)
    with locks.key(key, "patch", 30.0):
        print("held", flush=True)


def count(sidecar: str, protocol: str, key: str, counter: str, times: str) -> None:
    """Add to a number in a file, reading and writing it in two steps."""
    locks = open_locks(Path(sidecar), protocol=protocol)
    path = Path(counter)
    for _ in range(int(times)):
        with locks.key(key, "update", 60.0):
            path.write_text(str(int(path.read_text()) + 1))
    print("ready", flush=True)


def count_pairs(sidecar: str, protocol: str, first: str, second: str, counter: str) -> None:
    locks = open_locks(Path(sidecar), protocol=protocol)
    path = Path(counter)
    for _ in range(100):
        with locks.keys([first, second], "update", 60.0):
            path.write_text(str(int(path.read_text()) + 1))
    print("ready", flush=True)


def churn(sidecar: str, protocol: str, key: str, seconds: str) -> None:
    """Lock and unlock as fast as possible; print how often."""
    locks = open_locks(Path(sidecar), protocol=protocol)
    scratch = Path(sidecar) / f"scratch-{os.getpid()}"
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + float(seconds)
    done = 0
    while time.monotonic() < end:
        with locks.key(key, "update", 60.0):
            scratch.write_bytes(b"x" * 1000)
            done += 1
    print(done, flush=True)


def raw(sidecar: str, offset: str) -> None:
    """Lock a session's byte as a program would that publishes nothing."""
    fd = os.open(f"{sidecar}/lock", os.O_RDWR)
    request = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, int(offset), 1, 0)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, request)
    _ready_until_told()


def legacy(store: str) -> None:
    with LegacyLock(Path(store)).hold(30.0):
        _ready_until_told()


def legacy_count(store: str, counter: str, times: str) -> None:
    path = Path(counter)
    for _ in range(int(times)):
        with LegacyLock(Path(store)).hold(60.0):
            path.write_text(str(int(path.read_text()) + 1))
    print("ready", flush=True)


def _ready_until_told() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
