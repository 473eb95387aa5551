"""Children that carry maintenance plans out or take them back, killed on the way.

Killed before the n-th call that changes something on the disk: a name, or the bytes of a journal.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sessionstore import MaintenancePlan, maintain, open_store, take_back
from sessionstore.files import renames

CHANGING = ("rename", "link", "unlink", "rmdir", "mkdir", "write")


def arm(kill_at: int) -> None:
    """From now on count the calls that change something, and die before the one asked for."""
    counter = itertools.count(1)
    pid = os.getpid()

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            if next(counter) == kill_at:
                os.kill(pid, signal.SIGKILL)
            return call(*args, **kwargs)

        return step

    for name in CHANGING:
        setattr(os, name, counted(getattr(os, name)))
    calls: Any = renames  # renameat2(2), which never replaces
    calls._renamed = counted(calls._renamed)


def maintain_killed(plan: MaintenancePlan, gateway: Path, kill_at: int) -> None:
    arm(kill_at)
    maintain(plan, gateway_lock_dir=gateway, timeout=60)
    os._exit(0)


def take_back_killed(path: Path, gateway: Path, run_id: str, kill_at: int) -> None:
    with open_store(path, gateway_lock_dir=gateway, timeout=60) as store:
        arm(kill_at)
        take_back(store, run_id, timeout=60)
    os._exit(0)


def fork_when_told(pipe: Connection) -> None:
    """Run each call that is heard in a child of its own, and say how that ended."""
    targets: dict[str, Callable[..., None]] = {
        call.__name__: call for call in (maintain_killed, take_back_killed)
    }
    while True:
        name, arguments = pipe.recv()
        pid = os.fork()
        if not pid:
            try:
                targets[name](*arguments)
            finally:
                os._exit(1)
        pipe.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def write_until_told(path: Path, gateway: Path, keys: list[str], pipe: Connection) -> None:
    """Count up in these sessions, one after the other, until somebody says stop; tell how often."""
    counts = dict.fromkeys(keys, 0)
    with open_store(path, gateway_lock_dir=gateway, timeout=60) as store:
        pipe.send("started")
        while not pipe.poll():
            for key in keys:

                def count(entry: dict[str, Any] | None) -> dict[str, Any]:
                    old = entry or {"sessionId": "made-anew"}
                    return {**old, "count": old.get("count", 0) + 1}

                store.update(key, count)
                counts[key] += 1
    pipe.send(counts)
