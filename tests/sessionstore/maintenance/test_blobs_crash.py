"""Killed at any step, a run that retires blobs loses none and goes on."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sessionstore import MaintenancePolicy, maintain, take_back
from sessionstore.blobs import find_blob, list_blobs
from sessionstore.blobswitch import set_blobs
from sessionstore.maintenance import apply_blobs, plan_maintenance
from tests.sessionstore.children import maintaining
from tests.sessionstore.helpers import sound
from tests.sessionstore.maintenance.test_apply_crash import Run, copies
from tests.sessionstore.maintenance.test_apply_crash import run as run
from tests.sessionstore.maintenance.tidying import DAY_S, Home, row

KEYS = [f"agent:main:tui-{n}" for n in range(3)]
POLICY = MaintenancePolicy(leftover_retention_s=DAY_S)


def template_of(tmp_path: Path) -> Home:
    """Three sessions whose blobs are in use, and two old blobs that nobody has any more."""
    home = Home(tmp_path / "template")
    home.fill({key: row(1, key[-1], big=key * 500) for key in KEYS})
    with home.open() as store:
        set_blobs(store, True)
        for n in range(2):
            store.patch(KEYS[n], {"extra": f"extra {n}" * 1000})
            store.patch(KEYS[n], {"extra": None})
        blobs = store.paths.sidecar / "blobs"
    for path in blobs.glob("*/*"):
        os.utime(path, (time.time() - 2 * DAY_S,) * 2)
    return home


def test_killed_run_that_retires_blobs_goes_on_and_comes_back(tmp_path: Path, run: Run) -> None:
    template, skipped = template_of(tmp_path), 0
    for step, home in copies(template, tmp_path):
        with home.open() as store:
            whole, paths = store.load(), store.paths
            plan = plan_maintenance(store, POLICY)
        assert [item.kind for item in plan.acting] == ["value", "value"]
        finished = run(maintaining.maintain_killed, plan, home.gateway, step)
        assert len(list_blobs(paths)) == 5
        report = maintain(plan, gateway_lock_dir=home.gateway, timeout=60)
        for result, item in zip(report.results, plan.acting, strict=True):
            # Killed between the two steps of retiring, it is young, and left to the next plan.
            is_left = (result.outcome, result.message) == ("skipped", apply_blobs.MOVED)
            assert is_left or result.outcome == "done", (step, result)
            wanted = (item.path or "").rpartition("/")[2]
            assert find_blob(paths, wanted, is_retired=not is_left) is not None
            skipped += is_left
        with home.open() as store:
            assert store.load() == whole
            take_back(store, report.run_id)
            assert sound(store)
        assert [one.is_retired for one in list_blobs(paths)] == [False] * 5
        if finished:
            assert step > 10
            break
    assert skipped == 2
