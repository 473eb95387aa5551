"""Children that restore, and are killed before the n-th call that changes a name on the disk.

Between two such calls only files are filled that have no name but a temporary one. One clean
process forks them all: starting each anew would take most of the time.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sessionstore.backup import Backup, RestorePlan, drill, restore, restore_to
from sessionstore.backup import restore_in_place as in_place
from sessionstore.files import renames

CHANGING = ("rename", "link", "unlink", "rmdir", "mkdir")


def arm(kill_at: int) -> None:
    """From now on count the calls that change a name, and die before the one asked for."""
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
    calls: Any = renames  # renameat2(2): never replacing, and swapping
    calls._renamed = counted(calls._renamed)


def restore_killed(plan: RestorePlan, gateway: Path, kill_at: int) -> None:
    """Carry the plan out; counted from when the automatic backup stands, which is proven itself."""
    if not plan.whole_store:
        arm(kill_at)
    module: Any = in_place
    real = module.create_backup

    def backed_up(*args: Any, **kwargs: Any) -> Backup:
        backup: Backup = real(*args, **kwargs)
        arm(kill_at)
        return backup

    module.create_backup = backed_up
    restore(plan, gateway_lock_dir=gateway, timeout=60)
    os._exit(0)


def restore_to_killed(backup: Backup, target: Path, kill_at: int) -> None:
    arm(kill_at)
    restore_to(backup, target)
    os._exit(0)


def drill_killed(backup: Backup, scratch: Path, kill_at: int) -> None:
    arm(kill_at)
    drill(backup, scratch=scratch)
    os._exit(0)


def fork_when_told(pipe: Connection) -> None:
    """Run each call that is heard in a child of its own, and say how that ended."""
    targets: dict[str, Callable[..., None]] = {
        call.__name__: call for call in (restore_killed, restore_to_killed, drill_killed)
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
