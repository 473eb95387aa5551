"""A process killed at any step of thinning neither loses a report nor lets it count twice."""

from __future__ import annotations

import itertools
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from sessionstore.metrics import History
from sessionstore.paths import store_paths
from sessionstore.recording.thinning import thin
from tests.sessionstore.children.thinning import run_killed
from tests.sessionstore.helpers import processes
from tests.sessionstore.metrics.reporting import (
    HOUR,
    MINUTE,
    NOW,
    figures,
    names_of,
    paths_in,
    report,
    window,
)

LATER = NOW + 6 * HOUR


def totals(folder: Path, now_ms: int) -> object:
    history = History(store_paths(folder / "sessions.json"))
    history.refresh(now_ms=now_ms)
    return figures(history.total(0, now_ms))


def killed_copies(template: Path, tmp_path: Path, now_ms: int) -> Iterator[Path]:
    """Copies of a store, each with a child killed at its next step; the last came to the end."""
    for step in itertools.count(1):
        copy = tmp_path / f"step-{step}"
        shutil.copytree(template, copy)
        sidecar = store_paths(copy / "sessions.json").sidecar
        child = processes.Process(target=run_killed, args=(sidecar, now_ms, step))
        child.start()
        child.join(30)
        assert child.exitcode in (0, -signal.SIGKILL), f"step {step}: {child.exitcode}"
        yield copy
        shutil.rmtree(copy)
        if child.exitcode == 0:
            return


def check(template: Path, tmp_path: Path, now_ms: int) -> int:
    expected = totals(template, now_ms)
    steps = 0
    for copy in killed_copies(template, tmp_path, now_ms):
        steps += 1
        assert totals(copy, now_ms) == expected, f"step {steps}"
        paths = store_paths(copy / "sessions.json")
        for _ in range(3):
            assert thin(paths.sidecar, now_ms=now_ms) is not None
        assert totals(copy, now_ms) == expected, f"after step {steps}"
        assert not [name for name in names_of(paths) if not name.startswith("merged.")]
    return steps


def test_first_merge(tmp_path: Path) -> None:
    template = tmp_path / "template"
    paths = paths_in(template)
    for pid in (1, 2, 3):
        start = NOW - 5 * HOUR
        report(paths, [window(start + n * MINUTE, pid=pid) for n in range(1, 5)], pid=pid)
    assert check(template, tmp_path, NOW) > 20


def test_merge_of_a_merged_file_with_another(tmp_path: Path) -> None:
    template = tmp_path / "template"
    paths = paths_in(template)
    start = NOW - 5 * HOUR
    report(paths, [window(start + MINUTE)])
    report(paths, [window(start + HOUR + MINUTE)], pid=9)
    assert thin(paths.sidecar, now_ms=NOW)
    report(paths, [window(start + 3 * MINUTE, pid=2)], pid=2)
    assert check(template, tmp_path, LATER) > 20
