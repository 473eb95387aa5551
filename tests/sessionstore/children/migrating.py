"""Children that migrate or roll back a store and are killed at the n-th step that changes a disk.

A step is a call that changes something, or a lock: through ``os`` and ``fcntl``, or one of the
calls that the standard library does not have. Without a step to die at, the names of all steps are
written down, so that a test can choose.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from sessionstore import open_store, plan_rollback, rollback
from sessionstore.files import moving, syncing
from tests.sessionstore.migration.runs import run

OS_STEPS = "write rename unlink rmdir mkdir chmod fchmod fsync fdatasync link"
STEPS: dict[Any, list[str]] = {
    os: OS_STEPS.split(),
    fcntl: ["fcntl", "flock"],
    moving: ["rename_exclusively", "exchange_names"],
    syncing: ["sync_whole"],
}
RENAMES = frozenset(["rename", "rename_exclusively", "exchange_names", "link"])


class Steps:
    """Counts the steps, and dies before the one asked for (0: none)."""

    def __init__(self, kill_at: int) -> None:
        self.kill_at = kill_at
        self.names: list[str] = []
        self._counter = itertools.count(1)

    def arm(self) -> None:
        """From now on."""
        for module, names in STEPS.items():
            for name in names:
                setattr(module, name, self._counted(name, getattr(module, name)))
        real_open = os.open

        def opening(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
            if flags & os.O_CREAT:
                self._step("create")
            return real_open(path, flags, *args, **kwargs)

        os.open = opening

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            self._step(name)
            return call(*args, **kwargs)

        return step

    def _step(self, name: str) -> None:
        self.names.append(name)
        if next(self._counter) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def without_exchange() -> None:
    """Be on a file system that cannot swap two names."""
    setattr(moving, "exchange_names", lambda *args, **kwargs: False)  # noqa: B010


def migrate_store(path: Path) -> None:
    run(path)


def migrate_guarded(path: Path) -> None:
    run(path, guard=True)


def migrate_without_exchange(path: Path) -> None:
    run(path)


def roll_back(path: Path) -> None:
    """Plan and do it, if there is something to do."""
    with open_store(path) as store:
        plan = plan_rollback(store)
    if plan.possible:
        rollback(plan)


OPERATIONS = {
    call.__name__: call
    for call in (migrate_store, migrate_guarded, migrate_without_exchange, roll_back)
}


def serve(pipe: Connection) -> None:
    """Run what is asked for in a fork each, and say how it ended.

    Asked for is (path, operation, step to die at, file for the names of the steps or None). One
    process that forks is several times quicker than one that is started for each step.
    """
    while (asked := pipe.recv()) is not None:
        pid = os.fork()
        if pid == 0:
            _run_killed(*asked)
        pipe.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _run_killed(path: Path, operation: str, kill_at: int, names_to: Path | None) -> NoReturn:
    if operation == "migrate_without_exchange":
        without_exchange()
    steps = Steps(kill_at)
    steps.arm()
    try:
        OPERATIONS[operation](path)
        if names_to is not None:
            names = json.dumps(steps.names)
            names_to.write_text(names)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
