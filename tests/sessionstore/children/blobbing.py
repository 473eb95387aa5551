"""Children that write, switch and collect blobs, and may be killed at any step of it."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

from sessionstore import open_store
from sessionstore.blobswitch import collect_blobs, set_blobs
from tests.sessionstore.children import crashing

A, ODD = "agent:main:a", ".odd"
FRESH = {"sessionId": "s-9", "updatedAt": 9, "big": "fresh " * 1000, "shared": "shared " * 1000}
STEPS = {os: [*crashing.CHANGES[os], "utime", "fsync"]}


def run_killed(path: Path, operation: str, kill_at: int) -> None:
    """Do one operation on a store with blobs, and die before the given step of it."""
    with open_store(path) as store:
        store.get(A)
        crashing.arm(kill_at, STEPS)
        if operation == "write":
            store.put(A, dict(FRESH))
        elif operation == "write_strictly":
            store.put(A, dict(FRESH), durability="strict")
        elif operation == "create":
            store.put(ODD, dict(FRESH))
        elif operation == "collect":
            collect_blobs(store, older_than_s=0)
        else:
            set_blobs(store, operation == "on")
    os._exit(0)


def value(number: int) -> str:
    """One of a few large values that all writers share."""
    return f"value {number} " * 700


def write_for(path: Path, seed: int, seconds: float) -> None:
    """Write entries of this writer's own with values that all share, and read each back."""
    chosen = random.Random(seed)
    ends = time.monotonic() + seconds
    count = 0
    with open_store(path, timeout=60) as store:
        while time.monotonic() < ends:
            key = f"agent:main:{seed}-{chosen.randrange(3)}"
            big = value(chosen.randrange(6))
            if chosen.random() < 0.2:
                store.delete(key)
            store.put(key, {"sessionId": "s", "n": count, "big": big})
            entry: dict[str, Any] = store.get(key) or {}
            assert entry["big"] == big, key
            store.patch(key, {"n": -count})
            count += 1
    assert count > 3


def collect_for(path: Path, seconds: float) -> None:
    """Collect without any grace, again and again."""
    ends = time.monotonic() + seconds
    with open_store(path, timeout=60) as store:
        while time.monotonic() < ends:
            collect_blobs(store, older_than_s=0, timeout=60)
            time.sleep(0.005)


def switch_for(path: Path, seconds: float) -> None:
    """Switch blobs off and on, again and again."""
    ends = time.monotonic() + seconds
    with open_store(path, timeout=60) as store:
        while time.monotonic() < ends:
            for enabled in (False, True):
                assert set_blobs(store, enabled, timeout=60).failed == {}
