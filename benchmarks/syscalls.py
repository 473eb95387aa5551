"""Count the system calls of one operation with strace.

    python -m benchmarks.syscalls <rival> <directory> <sessions>

runs operations between two marks (``getppid``, which nothing else calls) for :func:`count`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .material import keys_of
from .rivals import RIVALS, patching

_CALLS = 20
_MARK = "getppid"
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\(")


def count(rival: str, directory: Path, sessions: int) -> Counter[str] | None:
    """System calls per operation by name; None without strace. The rival is filled already."""
    if shutil.which("strace") is None:
        return None
    with tempfile.NamedTemporaryFile(suffix=".strace") as log:
        command = [
            *["strace", "-f", "-o", log.name],
            *[sys.executable, "-m", "benchmarks.syscalls", rival, str(directory), str(sessions)],
        ]
        finished = subprocess.run(command, capture_output=True, text=True)
        if finished.returncode:
            return None  # ptrace is often forbidden in containers
        return _between_marks(Path(log.name).read_text(errors="replace"))


def _between_marks(log: str) -> Counter[str]:
    calls: Counter[str] = Counter()
    marks = 0
    for line in log.splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        if match[1] == _MARK:
            marks += 1
        elif marks == 1:
            calls[match[1]] += 1
    return Counter({name: round(number / _CALLS) for name, number in calls.items()})


def _run(rival: str, directory: Path, sessions: int) -> None:
    store = RIVALS[rival](directory)
    run = patching(store, keys_of(sessions))
    for turn in range(_CALLS):
        run(turn)
    os.getppid()
    for turn in range(_CALLS, 2 * _CALLS):
        run(turn)
    os.getppid()
    store.close()


if __name__ == "__main__":
    _run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
