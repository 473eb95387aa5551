"""A realistic state directory of invented data, and processes that keep writing to it.

For the demo, the tests and the benchmarks: ``build`` makes the directory, ``run_writers`` keeps
it alive, ``fill`` makes one store of any size. ``python -m sessionstore.demo`` does the same.
"""

from __future__ import annotations

import os
import time

from ..paths import store_paths
from . import disk
from .invent import Inventor
from .state import build, is_demo
from .writers import run_writers, start_writer, stop_writers

__all__ = ["build", "fill", "is_demo", "run_writers", "start_writer", "stop_writers"]


def fill(
    path: str | os.PathLike[str],
    sessions: int,
    *,
    agent_id: str = "main",
    seed: int = 7,
    machine: float = 0.3,
    now_ms: int | None = None,
) -> int:
    """Make one store in the directory layout with many invented sessions; returns how many.

    ``path`` is as for ``open_store``; the share ``machine`` of the sessions are cron runs and
    the like. About 20,000 sessions per second.
    """
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    inventor = Inventor(agent_id, seed=seed, now_ms=now)
    return disk.fill(store_paths(path), inventor.sessions(sessions, machine=machine))
