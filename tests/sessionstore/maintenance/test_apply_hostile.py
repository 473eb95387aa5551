"""What others do between a plan and its run, and records that somebody wrote: nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from sessionstore import MaintenancePolicy, StoreIOError, expire_runs, take_back, versions
from sessionstore.files import renames
from sessionstore.kept import Keeper
from sessionstore.maintenance import read_run, runs
from tests.sessionstore.maintenance.test_apply import EVERYTHING, A, home_of, outcomes, run
from tests.sessionstore.maintenance.tidying import DAY_S, TEXT, Home, days, item_of, row, stamp

OLD = MaintenancePolicy(prune_after_s=DAY_S)


def test_transcript_that_another_session_took_since_the_plan_stays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.fill({A + "tui-old": row(40, "old"), A + "tui-new": row(0, "new")})
    transcript = home.file("old.jsonl", 40)
    plan = home.plan(OLD)
    with home.open() as store:
        store.put(A + "tui-heir", {"sessionId": "old", "updatedAt": days(0)})
    report = run(home, plan)
    assert transcript.read_text() == TEXT
    assert outcomes(report) == {A + "tui-old": "done"}
    assert any("another session has it" in one.message for one in report.results)


def stopped_after_deletion(home: Home, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run that deleted its one session and could not move the transcript any more."""
    plan = home.plan(OLD)
    real: Any = renames._renamed

    def full(call: Any, name: str, target: str, *more: Any) -> bool:
        if name == "old.jsonl":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        return bool(real(call, name, target, *more))

    with monkeypatch.context() as patched:
        patched.setattr(renames, "_renamed", full)
        with pytest.raises(StoreIOError):
            run(home, plan)
    return plan


@pytest.mark.parametrize("kind", ["written", "locked"])
def test_run_that_goes_on_leaves_a_transcript_that_is_in_use_by_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    home = Home(tmp_path)
    home.fill({A + "tui-old": row(40, "old"), A + "tui-new": row(0, "new")})
    transcript = home.file("old.jsonl", 40)
    plan = stopped_after_deletion(home, monkeypatch)
    if kind == "written":
        home.file("old.jsonl", 0, TEXT + "of another life")
    else:
        home.file("old.jsonl.lock", 0, json.dumps({"pid": 1}))
    before = transcript.read_text()
    report = run(home, plan)
    assert transcript.read_text() == before
    assert any("old.jsonl stays" in one.message for one in report.results)
    with home.open() as store:
        assert take_back(store, report.run_id).outcomes == {"taken-back": 1}
        assert store.get(A + "tui-old") == row(40, "old")


def test_folder_with_the_name_of_a_transcript_neither_goes_nor_stops_a_run(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.fill({A + "tui-old": row(40, "old"), A + "tui-new": row(0, "new")})
    folder = home.path.parent / "old.jsonl"
    folder.mkdir()
    (folder / "precious").write_text("kept")
    os.utime(folder, (days(40) / 1000, days(40) / 1000))
    report = run(home, home.plan(OLD))
    assert outcomes(report) == {A + "tui-old": "done"}
    assert (folder / "precious").read_text() == "kept"


@pytest.mark.parametrize("kind", ["path", "other"])
def test_expiry_removes_no_version_that_is_not_the_runs_own(tmp_path: Path, kind: str) -> None:
    home = home_of(tmp_path, "directory")
    with home.open() as store:
        report = run(home, home.plan(EVERYTHING), take_back_s=0)
        victim = home.path.parent / "victim.json"
        victim.write_text("{}")
        sidecar = home.path.parent / ".sessionstore" / "sessions"
        item = item_of(report.plan, A + "tui-old").id
        keeper = Keeper(reason="by hand")
        store.keeping(keeper).put(A + "tui-old", {"sessionId": "again"})
        own = {one.id for one in versions(store, A + "tui-old")} - {keeper.kept[-1].id}
        folder = sidecar / "versions" / next(iter(own)).partition("-")[0]
        up = os.path.relpath(victim.with_suffix(""), folder)
        name = f"x-{up}" if kind == "path" else keeper.kept[-1].id
        record = {"state": "done", "at_ms": 1, "item": item, "version": name}
        with (sidecar / "maintenance" / report.run_id / "journal").open("a") as journal:
            journal.write("\n" + json.dumps(record) + "\n")
        assert list(expire_runs(store.paths)) == [report.run_id]
        assert victim.exists()
        assert keeper.kept[-1].id in {one.id for one in versions(store, A + "tui-old")}


@pytest.mark.parametrize("kind", ["file", "link", "linked-plan", "folder"])
def test_what_somebody_put_among_the_runs_hides_no_run(tmp_path: Path, kind: str) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(EVERYTHING), take_back_s=0)
    root = home.path.parent / ".sessionstore" / "sessions" / "maintenance"
    planted = root / "zzz"
    if kind == "file":
        planted.write_text("notes")
    elif kind == "link":
        planted.symlink_to(root / report.run_id)
    else:
        planted.mkdir()
    if kind == "linked-plan":
        (planted / "plan.json").symlink_to(root / report.run_id / "plan.json")
    with home.open() as store:
        assert [one.id for one in runs(store.paths)] == [report.run_id]
        assert list(expire_runs(store.paths)) == [report.run_id]
    assert planted.exists()


def test_taking_back_touches_no_session_but_the_items_own(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(EVERYTHING))
    item = item_of(report.plan, A + "tui-old").id
    with home.open() as store:
        keeper = Keeper(reason="by hand")
        store.keeping(keeper).patch(A + "tui-new", {"label": "right"})
        journal = (
            home.path.parent / ".sessionstore/sessions/maintenance" / report.run_id / "journal"
        )
        version = keeper.kept[-1].id
        record = {"state": "done", "at_ms": 1, "item": item, "version": version}
        with journal.open("a") as lines:
            lines.write("\n" + json.dumps(record) + "\n")
        back = take_back(store, report.run_id, items=[item])
        assert outcomes(back)[A + "tui-old"] == "done"
        new = store.get(A + "tui-new")
        assert new is not None
        assert new["label"] == "right"


def test_trash_that_somebody_removed_keeps_no_session_from_coming_back(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(EVERYTHING))
    folder = home.path.parent / ".sessionstore/sessions/maintenance" / report.run_id
    shutil.rmtree(folder / "trash")
    with home.open() as store:
        back = take_back(store, report.run_id)
        assert store.get(A + "tui-old") is not None
        expire_runs(store.paths, now_ms=report.take_back_until_ms)
        assert read_run(store.paths, report.run_id).is_expired
    found = outcomes(back)
    assert found[A + "tui-old"] == found[A + "tui-fat"] == found["orphan.jsonl"] == "taken-back"
    gone = f"gone.jsonl.deleted.{stamp(90)}"
    assert found[gone] == "done"
    said = {one.id: one.message for one in back.results}
    assert "neither" in said[item_of(report.plan, gone).id]
    assert "neither" in said[item_of(report.plan, A + "tui-old").id]


def test_run_goes_on_without_the_trash_that_somebody_removed(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    plan = home.plan(EVERYTHING)

    def stop(done: int, total: int, item: str) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(home, plan, progress=stop)
    (trash,) = home.path.parent.glob(".sessionstore/sessions/maintenance/*/trash")
    shutil.rmtree(trash)
    assert run(home, plan).outcomes == {"done": 5}
