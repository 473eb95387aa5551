"""Several processes that migrate one store at the same moment: one does it, the others agree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.sessionstore.children import writing
from tests.sessionstore.helpers import in_processes, processes, scaled
from tests.sessionstore.migration.runs import backups, leftovers, loaded, marker, run
from tests.sessionstore.migration.stores import LEGACY, MERGED, Make, legacy, merging, state_file


@pytest.mark.parametrize("make", [legacy, merging, state_file])
def test_two_processes_end_like_one(folder: Path, make: Make) -> None:
    expected = LEGACY if make is legacy else MERGED
    for number in range(scaled(7, least=2)):
        path = folder / str(number) / "sessions.json"
        path.parent.mkdir()
        make(path)
        barrier = processes.Barrier(2)
        guard = number % 2 == 1
        in_processes(writing.migrate_together, (path, barrier, guard), (path, barrier, guard))
        assert loaded(path) == expected
        assert len(backups(path)) == (2 if make is state_file else 1)
        assert len({row["run"] for row in marker(path)["imports"]}) == 1
        assert leftovers(path) == []
        shutil.rmtree(path.parent)


def test_run_that_waits_too_long_for_another_says_so(folder: Path) -> None:
    from sessionstore import LockTimeoutError
    from sessionstore.locks.alone import alone

    path = folder / "sessions.json"
    legacy(path)
    with (
        alone(folder / ".sessionstore" / "sessions", "migration", timeout=1.0),
        pytest.raises(LockTimeoutError, match="look at its progress"),
    ):
        run(path, timeout=0.05)
    assert loaded(path) == LEGACY
