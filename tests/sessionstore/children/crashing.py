"""Children that are killed at the n-th step of an operation.

A step is a call to the operating system through ``os`` or ``fcntl``. The child kills itself with
SIGKILL right before the n-th step, which is the same as right after the one before it.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from sessionstore import Store, open_store

OS_STEPS = (
    "open close read write pwrite rename replace unlink rmdir mkdir chmod fchmod fsync fdatasync "
    "lstat fstat listdir ftruncate link"
)
STEPS = {os: OS_STEPS.split(), fcntl: ["fcntl", "flock"]}
CHANGES = {os: ["write", "rename", "unlink", "rmdir", "mkdir", "link", "fdatasync"]}
"""The steps that change what is on the disk: what lies between two of them looks the same."""

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"
NEW = {"sessionId": "s-9", "updatedAt": 9, "label": "new", "text": "y" * 3000}


def arm(kill_at: int, steps: Mapping[ModuleType, list[str]] = STEPS) -> None:
    """From now on count the steps, and die before the one asked for."""
    counter = itertools.count(1)
    pid = os.getpid()

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            if next(counter) == kill_at:
                os.kill(pid, signal.SIGKILL)
            return call(*args, **kwargs)

        return step

    for module, names in steps.items():
        for name in names:
            if hasattr(module, name):
                setattr(module, name, counted(getattr(module, name)))


def update(store: Store) -> None:
    store.update(A, lambda old: dict(NEW))


def update_strictly(store: Store) -> None:
    store.update(A, lambda old: dict(NEW), durability="strict")


def create_odd(store: Store) -> None:
    store.put(ODD, dict(NEW))


def delete(store: Store) -> None:
    store.delete(A)


def save(store: Store) -> None:
    store.save({key: dict(NEW) for key in (A, B, ODD)})


def save_difference(store: Store) -> None:
    base = store.load()
    store.save({B: dict(NEW), ODD: dict(NEW)}, base=base)


def update_all(store: Store) -> None:
    def change(every: dict[str, dict[str, Any]]) -> None:
        del every[A]
        every[B] = dict(NEW)

    store.update_all(change)


def reset(store: Store) -> None:
    store.reset(A, session_id="s-9")


def route(store: Store) -> None:
    store.update_last_route(A, channel="slack", to="C1")


OPERATIONS = {
    call.__name__: call
    for call in (
        update,
        update_strictly,
        create_odd,
        delete,
        save,
        save_difference,
        update_all,
        reset,
        route,
    )
}


def run_killed(path: Path, operation: str, kill_at: int, warm: str | None) -> None:
    """Open the store, perhaps write another key first, then do the operation and die in it."""
    store = open_store(path, gateway_lock_dir=path.parent / "gateway")
    if warm is not None:
        store.patch(warm, {"warm": True})
    arm(kill_at)
    OPERATIONS[operation](store)
    os._exit(0)


def write_until_killed(path: Path, keys: list[str]) -> None:
    """Update the keys in turn, as fast as it goes, until somebody kills us."""
    store = open_store(path, gateway_lock_dir=path.parent / "gateway")
    for number in itertools.count():
        for key in keys:
            store.patch(key, {"n": number, "m": number})
