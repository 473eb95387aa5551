"""A check leaves everything as it is: the store, its transcripts, and our own folder beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessionstore import check, open_store
from tests.sessionstore.helpers import picture, write_legacy, write_unadopted
from tests.sessionstore.maintenance.state import PLANTS, State

REPOSITORY = Path(__file__).resolve().parents[3]

WRITER = """
import sys, time
from sessionstore import open_store
store = open_store(sys.argv[1])
store.put("agent:main:explicit:killed", {"sessionId": "killed", "updatedAt": 1})
print("written", flush=True)
time.sleep(60)
"""


def times(root: Path) -> dict[str, int]:
    """When each file and folder was last changed, folders included."""
    return {str(path): path.lstat().st_mtime_ns for path in sorted([root, *root.rglob("*")])}


def test_nothing_changes_where_everything_is_wrong(state: State) -> None:
    for _, _, make in PLANTS.values():
        make(state)
    before, when = picture(state.root), times(state.root)
    assert check(state.store)
    assert picture(state.root) == before
    assert times(state.root) == when


def test_what_a_killed_process_left_is_left(bare: State) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(bare.folder)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    live = bare.folder / ".sessionstore" / "sessions" / "live"
    assert list(live.iterdir())
    before, when = picture(bare.root), times(bare.root)
    time.sleep(0.01)
    check(bare.store)
    assert picture(bare.root) == before
    assert times(bare.root) == when


@pytest.mark.parametrize("layout", ["legacy", "unadopted", "nothing"])
def test_store_that_was_never_written_by_us_stays_untouched(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "agents" / "main" / "sessions" / "sessions.json"
    path.parent.mkdir(parents=True)
    rows = {"agent:main:main": {"sessionId": "a", "updatedAt": 1_790_000_000_000}}
    if layout == "legacy":
        write_legacy(path, rows)
    elif layout == "unadopted":
        write_unadopted(path, rows)
    before, when = picture(tmp_path), times(tmp_path)
    with open_store(path, report=False) as store:
        check(store)
    assert picture(tmp_path) == before
    assert times(tmp_path) == when
