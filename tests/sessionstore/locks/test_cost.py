"""What a lock costs in system calls, and that no process of a hot session is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sessionstore.locks.ofd import IS_SUPPORTED
from tests.sessionstore.locks.conftest import REPOSITORY, Start, says, tell

KEY = "agent:main:main"

_SCRIPT = """
import os, sys
from pathlib import Path
from sessionstore.locks import open_locks
locks = open_locks(Path(sys.argv[1]))
locks.release(locks.acquire("one", "update", 1.0))
os.write(1, b"begin")
for key in ("one", "two", "three"):
    locks.release(locks.acquire(key, "update", 1.0))
os.write(1, b"end")
"""


@pytest.mark.skipif(not IS_SUPPORTED, reason="Linux has these locks")
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_uncontended_lock_is_four_fcntl_calls_and_nothing_else(
    sidecar: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    subprocess.run(
        ["strace", "-f", "-o", str(trace), sys.executable, "-c", _SCRIPT, str(sidecar)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    lines = trace.read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if '"begin"' in line)
    end = next(number for number, line in enumerate(lines) if '"end"' in line)
    between = [line.split(maxsplit=1)[1] for line in lines[begin + 1 : end]]
    assert len(between) == 12
    assert all(line.startswith("fcntl(") and "F_OFD_SETLK," in line for line in between)


@pytest.mark.skipif(not IS_SUPPORTED, reason="the queue bytes are of the Linux protocol")
def test_four_processes_share_a_hot_session_fairly(sidecar: Path, start: Start) -> None:
    children = [start("churn", sidecar, "ofd-ranges-1", KEY, 3.0) for _ in range(4)]
    for child in children:
        tell(child)
    shares = [int(says(child)) for child in children]
    assert min(shares) > 0.4 * sum(shares) / len(shares)
