"""Children that do something one at a time."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from pathlib import Path

from sessionstore.locks.alone import alone


def count(sidecar: Path, number: Path, times: int) -> None:
    """Add to a number in a file, the way that loses counts when two do it at once."""
    for _ in range(times):
        with alone(sidecar, "labels", timeout=60):
            seen = int(number.read_text())
            time.sleep(0.001)
            number.write_text(str(seen + 1))


def stay(sidecar: Path, pipe: Connection) -> None:
    """Let nobody else in until killed."""
    with alone(sidecar, "labels", timeout=10):
        pipe.send("alone")
        pipe.recv()
