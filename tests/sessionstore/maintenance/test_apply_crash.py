"""Killed at any step and started again, a run ends the same; nothing is lost or counted twice."""

from __future__ import annotations

import itertools
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionstore import MaintenancePlan, MaintenancePolicy, maintain, take_back, versions
from sessionstore.maintenance import plan_maintenance, runs
from tests.sessionstore.children import maintaining
from tests.sessionstore.conftest import Kind
from tests.sessionstore.helpers import NOW, child, sound, temporary_files
from tests.sessionstore.maintenance.test_apply import EVERYTHING, A, home_of, snapshot
from tests.sessionstore.maintenance.tidying import DAY_S, TEXT, Home, row

_STAMP = re.compile(r"(?<=\.deleted\.)[0-9T.-]+Z")
Run = Callable[..., bool]


@pytest.fixture
def run() -> Iterator[Run]:
    """Return a runner: (function of ``maintaining``, its arguments) -> whether it ended."""
    with child(maintaining.fork_when_told) as forker:

        def run(target: Callable[..., None], *arguments: Any) -> bool:
            forker.say((target.__name__, arguments))
            exit_code = forker.hear(60)
            assert exit_code in (0, -signal.SIGKILL), exit_code
            return bool(exit_code == 0)

        yield run


def copies(template: Home, root: Path) -> Iterator[tuple[int, Home]]:
    """A fresh copy for each step, until whoever walks them stops."""
    for step in itertools.count(1):
        copy = Home(root / f"step-{step}", template.kind)
        shutil.rmtree(copy.path.parent)
        shutil.copytree(template.path.parent, copy.path.parent, symlinks=True)
        yield step, copy
        shutil.rmtree(root / f"step-{step}")


def plan_for(home: Home) -> MaintenancePlan:
    with home.open() as store:
        return plan_maintenance(store, EVERYTHING, now_ms=NOW)


def ending(home: Home) -> dict[str, Any]:
    """What there is, whenever it was archived."""
    found = snapshot(home)
    found["files"] = {_STAMP.sub("then", name): text for name, text in found["files"].items()}
    return found


def template_of(tmp_path: Path, kind: Kind) -> tuple[Home, dict[str, Any], dict[str, Any], int]:
    """A state, how it is now, how an uninterrupted run leaves it, and the bytes that it freed."""
    whole = home_of(tmp_path / "whole", kind)
    report = maintain(plan_for(whole), gateway_lock_dir=whole.gateway)
    home = home_of(tmp_path / "template", kind)
    return home, ending(home), ending(whole), report.achieved_bytes


@pytest.mark.parametrize("kind", ["directory", "legacy"])
def test_killed_run_goes_on_to_the_same_end_and_comes_back(
    tmp_path: Path, run: Run, kind: Kind
) -> None:
    template, before, wanted, freed = template_of(tmp_path, kind)
    for step, home in copies(template, tmp_path):
        plan = plan_for(home)
        finished = run(maintaining.maintain_killed, plan, home.gateway, step)
        check_between(home, before)
        report = maintain(plan, gateway_lock_dir=home.gateway, timeout=60)
        assert report.outcomes == {"done": 5}, (step, report.results)
        assert report.achieved_bytes == freed
        assert ending(home) == wanted
        with home.open() as store:
            assert len(versions(store, A + "tui-old")) == 1
            assert len(versions(store, A + "tui-fat")) == 1
            assert take_back(store, report.run_id).outcomes == {"taken-back": 5}
            store.patch(A + "tui-new", {"label": "after"})
            assert temporary_files(store) == []
            assert sound(store)
        after = ending(home)
        del after["entries"][A + "tui-new"], before["entries"][A + "tui-new"]
        assert after == before
        before = ending(template)
        if finished:
            assert step > 30
            break


def check_between(home: Home, before: dict[str, Any]) -> None:
    """Every entry and every file is somewhere, whole."""
    now = ending(home)
    trash = home.path.parent / ".sessionstore" / "sessions" / "maintenance"
    held = {one.read_bytes() for one in trash.glob("*/trash/*")} | set(now["files"].values())
    assert set(before["files"].values()) <= held
    with home.open() as store:
        for key, entry in before["entries"].items():
            is_kept = entry in [version.entry for version in versions(store, key)]
            assert now["entries"].get(key) == entry or is_kept


@pytest.mark.parametrize("kind", ["directory", "legacy"])
def test_killed_taking_back_ends_the_same(tmp_path: Path, run: Run, kind: Kind) -> None:
    template = home_of(tmp_path / "template", kind)
    before = ending(template)
    report = maintain(plan_for(template), gateway_lock_dir=template.gateway)
    for step, home in copies(template, tmp_path):
        finished = run(maintaining.take_back_killed, home.path, home.gateway, report.run_id, step)
        with home.open() as store:
            assert take_back(store, report.run_id).outcomes == {"taken-back": 5}
            assert sound(store)
        assert ending(home) == before
        if finished:
            assert step > 10
            break


def test_killed_run_can_be_taken_back_instead(tmp_path: Path, run: Run) -> None:
    template = home_of(tmp_path / "template", "directory")
    before = ending(template)
    for step, home in copies(template, tmp_path):
        finished = run(maintaining.maintain_killed, plan_for(home), home.gateway, step)
        with home.open() as store:
            for one in runs(store.paths):
                take_back(store, one.id)
        assert ending(home) == before
        if finished:
            assert step > 30
            break


def test_sessions_that_writers_are_at_are_skipped_and_lose_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.fill({A + f"tui-{n}": row(40, f"s{n}") for n in range(40)})
    for n in range(40):
        home.file(f"s{n}.jsonl", 40, TEXT)
    with home.open() as store:
        plan = plan_maintenance(store, MaintenancePolicy(prune_after_s=DAY_S), now_ms=NOW)
    busy = [A + f"tui-{n}" for n in range(0, 40, 4)]
    with child(maintaining.write_until_told, home.path, home.gateway, busy) as writer:
        assert writer.hear(60) == "started"
        report = maintain(plan, gateway_lock_dir=home.gateway, timeout=60)
        writer.say("stop")
        counts = writer.hear(60)
    items = {one.id: one for one in plan.items}
    outcome = {items[one.id].key: one.outcome for one in report.results}
    with home.open() as store:
        for key in outcome:
            assert key is not None
            entry = store.get(key)
            if key not in busy:
                assert outcome[key] == "done"
                assert entry is None
            else:  # archived before its writer came, or skipped: never an update lost
                assert entry is not None
                assert entry["count"] == counts[key]
                assert (entry["sessionId"] == "made-anew") == (outcome[key] == "done")
    assert any(outcome[key] == "skipped" for key in busy)
