"""The processes of a scripted incident: run as a program, told what to do by arguments.

Each prints a line of JSON when it is where it should be, and one with what came of it at its end.
They use the store as any gateway does; nothing here pretends to be the store.
"""

from __future__ import annotations

import json
import select
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sessionstore import LockTimeoutError, Store, open_store

Entry = dict[str, Any]


def say(**told: object) -> None:
    print(json.dumps(told), flush=True)


def opened(path: str, **options: Any) -> Store:
    return open_store(path, gateway_lock_dir=Path(path).parent, **options)


def hold(path: str, key: str, seconds: str) -> None:
    """Keep a session's lock, as an update does that takes long; at most until a line comes in."""

    def work(entry: Entry | None) -> Entry:
        say(holding=key)
        select.select([sys.stdin], [], [], float(seconds))
        return {**(entry or {}), "sessionId": "held", "updatedAt": time.time_ns() // 1_000_000}

    with opened(path, timeout=60.0) as store:
        store.update(key, work)
    say(done=True)


def wait(path: str, key: str, waiters: str, limit_s: str) -> None:
    """Have so many threads want one session's lock at once, each with its limit."""

    def want(number: int) -> dict[str, object]:
        began = time.monotonic()
        try:
            store.patch(key, {f"waiter{number}": True})
        except LockTimeoutError:
            return {"outcome": "timeout", "waited_s": time.monotonic() - began}
        return {"outcome": "written", "waited_s": time.monotonic() - began}

    with opened(path, timeout=float(limit_s)) as store, ThreadPoolExecutor(int(waiters)) as pool:
        wanted = [pool.submit(want, number) for number in range(int(waiters))]
        say(waiting=int(waiters))
        results = [one.result() for one in wanted]
    say(results=results)


def heat(path: str, key: str, seconds: str, hold_s: str) -> None:
    """Update one session again and again, holding it a little each time."""
    done = 0

    def work(entry: Entry | None) -> Entry:
        time.sleep(float(hold_s))
        known = entry or {"sessionId": "hot"}
        return {**known, "count": known.get("count", 0) + 1}

    with opened(path, timeout=60.0) as store:
        say(heating=key)
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            store.update(key, work)
            done += 1
    say(updates=done)


def write(path: str, key: str, times: str) -> None:
    """Write one session so many times, each time down to the disk."""
    with opened(path) as store:
        say(writing=key)
        for number in range(int(times)):
            store.patch(key, {"number": number}, durability="relaxed")
    say(updates=int(times))


def idle() -> None:
    """Be a process that has nothing to do with any store."""
    say(idle=True)
    threading.Event().wait(600)


ACTS: dict[str, Callable[..., None]] = {
    act.__name__: act for act in (hold, wait, heat, write, idle)
}

if __name__ == "__main__":
    ACTS[sys.argv[1]](*sys.argv[2:])
