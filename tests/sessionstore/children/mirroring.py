"""Children that mirror a store, and are killed at it."""

from __future__ import annotations

import itertools
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

from sessionstore import open_store
from sessionstore.migration import Mirror
from tests.sessionstore.children.crashing import CHANGES, arm


def tick_killed(path: Path, kill_at: int) -> None:
    """Make one copy, change a session, and die before the n-th change on disk of the next pass."""
    store = open_store(path)
    mirror = Mirror(store)
    mirror.tick(0.0)
    store.patch("agent:main:a", {"label": "new"})
    arm(kill_at, CHANGES)
    mirror.tick(100.0)
    os._exit(0)


def mirror_until_killed(path: Path, pipe: Connection) -> None:
    """Tick as fast as it goes; say so once the copy is written by this process."""
    with open_store(path) as store:
        mirror = Mirror(store)
        pipe.send("started")
        for number in itertools.count():
            if mirror.tick(number * 100.0):
                pipe.send("written")
            time.sleep(0.005)
