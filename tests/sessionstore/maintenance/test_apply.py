"""Carrying a plan out: what it does, what it leaves, what it says, and how it comes back."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sessionstore import (
    EntryNotFoundError,
    GatewayRunningError,
    MaintenancePlan,
    MaintenancePolicy,
    MaintenanceReport,
    StalePlanError,
    StoreIOError,
    aio,
    expire_runs,
    maintain,
    take_back,
    versions,
)
from sessionstore.maintenance import plan_maintenance, read_run, runs, without
from tests.sessionstore.children.gateways import gateway_lock
from tests.sessionstore.conftest import Kind
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import NOW
from tests.sessionstore.maintenance.tidying import (
    DAY_S,
    TEXT,
    Home,
    days,
    item_of,
    keys,
    row,
    stamp,
)

A = "agent:main:"
LAYOUTS: tuple[Kind, ...] = ("directory", "legacy")
EVERYTHING = MaintenancePolicy(
    prune_after_s=30 * DAY_S,
    archive_retention_s=30 * DAY_S,
    orphan_retention_s=DAY_S,
    leftover_retention_s=DAY_S,
    slim_fields=("skillsSnapshot",),
    unpin_failover=True,
)


def home_of(tmp_path: Path, layout: Kind) -> Home:
    """One thing of each kind that a plan acts on, and one that it leaves."""
    home = Home(tmp_path, layout)
    fields = {
        "skillsSnapshot": {"prompt": "x" * 5000},
        "modelOverride": "m",
        "modelOverrideSource": "auto",
        "extra": {"n": [1]},
    }
    home.fill(
        {
            A + "tui-old": row(40, "old", label="old one"),
            A + "tui-fat": row(1, "fat", **fields),
            A + "tui-new": row(1, "new"),
        }
    )
    for name in ("old.jsonl", "new.jsonl", "orphan.jsonl"):
        home.file(name, 40, TEXT + name)
    home.file("old.trajectory-path.json", 40, '{"path": "elsewhere"}')
    home.file(f"gone.jsonl.deleted.{stamp(90)}", 90)
    home.file("skills-prompts/sha256/aa/" + "a" * 64 + ".txt", 90, "prompt")
    return home


def snapshot(home: Home) -> dict[str, Any]:
    """All entries and all files beside the store, by relative path."""
    own = home.path.parent / ".sessionstore"
    layout = home.path.with_suffix(".d")
    with home.open() as store:
        entries = store.load()
    files = {
        str(one.relative_to(home.path.parent)): one.read_bytes()
        for one in home.path.parent.rglob("*")
        if one.is_file()
        and own not in one.parents
        and layout not in one.parents
        and not one.name.startswith("sessions.json")
    }
    return {"entries": entries, "files": files}


def run(home: Home, plan: MaintenancePlan, **options: Any) -> MaintenanceReport:
    return maintain(plan, gateway_lock_dir=home.gateway, **options)


def outcomes(report: MaintenanceReport) -> dict[str, str]:
    """What became of each item, by session or file."""
    items = {one.id: one for one in report.plan.items}
    found = {one.id: one.outcome for one in report.results}
    return {items[i].key or items[i].path or "": outcome for i, outcome in found.items()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_plan_is_carried_out_and_everything_comes_back(tmp_path: Path, layout: Kind) -> None:
    home = home_of(tmp_path, layout)
    before = snapshot(home)
    plan = home.plan(EVERYTHING)
    report = run(home, plan, by="ada", reason="spring")
    assert report.outcomes == {"done": 5}
    after = snapshot(home)
    assert set(after["entries"]) == {A + "tui-fat", A + "tui-new"}
    fat = after["entries"][A + "tui-fat"]
    assert fat == {"sessionId": "fat", "updatedAt": days(1), "extra": {"n": [1]}}
    archived = [name for name in after["files"] if ".deleted." in name]
    assert sorted(name.partition(".deleted.")[0] for name in archived) == [
        "old.jsonl",
        "orphan.jsonl",
    ]
    assert "new.jsonl" in after["files"]
    assert len(after["files"]) == 3
    with home.open() as store:
        assert [one.by for one in versions(store, A + "tui-old")] == ["ada"]
        back = take_back(store, report.run_id)
    assert back.outcomes == {"taken-back": 5}
    assert snapshot(home) == before
    assert back.achieved_bytes == back.held_bytes == 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_achieved_bytes_are_those_that_left_the_store(tmp_path: Path, layout: Kind) -> None:
    home = home_of(tmp_path, layout)
    plan = home.plan(EVERYTHING)
    report = run(home, plan)
    left = home.plan(MaintenancePolicy()).total_bytes
    achieved = plan.total_bytes - left
    assert abs(report.achieved_bytes - achieved) <= 0.05 * achieved
    assert abs(report.predicted_bytes - report.achieved_bytes) <= 0.05 * achieved
    assert report.held_bytes == report.achieved_bytes


def test_budget_is_met_by_real_bytes_within_one_percent(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.fill({A + f"tui-{n}": row(n, f"s{n}", text="x" * 3000) for n in range(1, 31)})
    for n in range(1, 31):
        home.file(f"s{n}.jsonl", n, TEXT * 100)
    whole = home.plan(MaintenancePolicy()).total_bytes
    policy = MaintenancePolicy(max_disk_bytes=whole // 2, high_water_bytes=whole // 3)
    plan = home.plan(policy)
    run(home, plan)
    left = home.plan(MaintenancePolicy()).total_bytes
    assert abs(left - (whole - plan.frees_bytes)) <= 0.01 * whole
    assert left <= whole // 3
    assert home.plan(policy).acting == ()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_moved_since_the_plan_is_skipped_and_told(tmp_path: Path, layout: Kind) -> None:
    home = home_of(tmp_path, layout)
    plan = home.plan(EVERYTHING)
    with home.open() as store:
        store.patch(A + "tui-old", {"label": "active again"})
        store.patch(A + "tui-fat", {"label": "busy"})
        store.patch(A + "tui-orphan", {"sessionId": "orphan"})
    (home.path.parent / f"gone.jsonl.deleted.{stamp(90)}").write_text("changed")
    (home.path.parent / ("skills-prompts/sha256/aa/" + "a" * 64 + ".txt")).unlink()
    before = snapshot(home)
    report = run(home, plan)
    assert report.outcomes == {"skipped": 5}
    assert report.achieved_bytes == 0
    assert snapshot(home) == before
    said = {one.message for one in report.results}
    assert "It is gone already." in said
    assert "A session names it by now, so it was left." in said


def test_session_whose_transcript_was_written_or_locked_is_skipped(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.fill({A + f"tui-{n}": row(40, f"s{n}") for n in range(3)})
    for n in range(3):
        home.file(f"s{n}.jsonl", 40)
    plan = home.plan(MaintenancePolicy(prune_after_s=DAY_S))
    home.file("s1.jsonl", 0, TEXT + TEXT)
    home.file("s2.jsonl.lock", 0, json.dumps({"pid": 1}))
    assert outcomes(run(home, plan)) == {
        A + "tui-0": "done",
        A + "tui-1": "skipped",
        A + "tui-2": "skipped",
    }
    assert {"s1.jsonl", "s2.jsonl"} < home.names()


def test_locked_session_is_skipped_and_names_its_holder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.fill({A + "tui-1": row(40, "a"), A + "tui-2": row(40, "b")})
    plan = home.plan(MaintenancePolicy(prune_after_s=DAY_S))
    held, done = threading.Event(), threading.Event()

    def hold(entry: dict[str, Any] | None) -> None:
        held.set()
        done.wait(30)

    with home.open() as store:
        holder = threading.Thread(target=store.update, args=(A + "tui-1", hold))
        holder.start()
        held.wait(30)
        report = run(home, plan, timeout=0.2)
        done.set()
        holder.join()
    assert outcomes(report) == {A + "tui-1": "skipped", A + "tui-2": "done"}
    assert any("in use" in one.message for one in report.results)


def test_shared_transcript_goes_with_the_last_of_its_sessions(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = {A + "cron:j": row(50, "s"), A + "cron:j:run:1": row(40, "s")}
    home.fill(rows)
    home.file("s.jsonl", 40)
    plan = home.plan(MaintenancePolicy(prune_after_s=DAY_S))
    with home.open() as store:
        store.patch(A + "cron:j", {"label": "kept"})
    report = run(home, plan)
    assert outcomes(report) == {A + "cron:j": "skipped", A + "cron:j:run:1": "done"}
    assert "s.jsonl" in home.names()
    assert any("another session has it" in one.message for one in report.results)


def test_excluded_items_stay(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    plan = home.plan(EVERYTHING)
    report = run(home, without(plan, [item_of(plan, A + "tui-old").id]))
    assert report.outcomes == {"done": 4}
    with home.open() as store:
        assert store.get(A + "tui-old") is not None


def test_plan_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    plan = home.plan(EVERYTHING)
    forged = replace(plan, items=tuple(replace(one, action="delete") for one in plan.items))
    before = snapshot(home)
    with pytest.raises(StalePlanError):
        run(home, forged)
    assert snapshot(home) == before


@pytest.mark.parametrize("layout", LAYOUTS)
def test_legacy_store_is_left_alone_beside_a_gateway(tmp_path: Path, layout: Kind) -> None:
    home = home_of(tmp_path, layout)
    plan, before = home.plan(EVERYTHING), snapshot(home)
    gateway_lock(home.gateway, home.path.parents[3], os.getpid())
    if layout == "directory":
        assert run(home, plan).outcomes == {"done": 5}
        return
    with pytest.raises(GatewayRunningError):
        run(home, plan)
    assert snapshot(home) == before


def test_plan_without_items_does_nothing(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(MaintenancePolicy()))
    assert (report.run_id, report.results) == ("", ())
    with home.open() as store:
        assert runs(store.paths) == []


def test_same_run_id_is_done_once(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    plan = home.plan(EVERYTHING)
    first = run(home, plan, run_id="job-7")
    after = snapshot(home)
    assert run(home, plan, run_id="job-7") == first
    assert snapshot(home) == after
    with pytest.raises(StalePlanError):
        run(home, home.plan(MaintenancePolicy(max_entries=1)), run_id="job-7")
    with pytest.raises(ValueError, match="id"):
        run(home, plan, run_id="../evil")


def test_files_never_come_back_over_others_and_say_so(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(EVERYTHING))
    home.file("orphan.jsonl", 0, "a new one")
    with home.open() as store:
        back = take_back(store, report.run_id)
        assert outcomes(back)["orphan.jsonl"] == "done"
        assert back.outcomes == {"taken-back": 4, "done": 1}
        assert any("orphan.jsonl is there again" in one.message for one in back.results)
        assert (home.path.parent / "orphan.jsonl").read_text() == "a new one"
        (home.path.parent / "orphan.jsonl").unlink()
        assert take_back(store, report.run_id).outcomes == {"taken-back": 5}


def test_session_that_was_made_anew_is_not_overwritten_by_taking_back(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(EVERYTHING))
    with home.open() as store:
        store.put(A + "tui-old", {"sessionId": "second", "label": "another"})
        back = take_back(store, report.run_id, items=[item_of(report.plan, A + "tui-old").id])
        (entry,) = [store.get(A + "tui-old")]
        assert entry is not None
        assert entry["sessionId"] == "second"
        assert outcomes(back)[A + "tui-old"] == "done"
        assert any("It was written since" in one.message for one in back.results)
    assert "old.jsonl" not in home.names()


def test_slimmed_fields_come_back_beside_what_was_written_since(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(EVERYTHING))
    with home.open() as store:
        store.patch(A + "tui-fat", {"label": "since"})
        take_back(store, report.run_id, items=[item_of(report.plan, A + "tui-fat").id])
        entry = store.get(A + "tui-fat")
        assert entry is not None
        assert (entry["label"], entry["modelOverride"]) == ("since", "m")
        assert len(entry["skillsSnapshot"]["prompt"]) == 5000
        assert store.get(A + "tui-old") is None


def test_what_expired_is_gone_and_cannot_be_taken_back(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(EVERYTHING), take_back_s=0)
    after = snapshot(home)
    with home.open() as store:
        assert expire_runs(store.paths) == {report.run_id: report.held_bytes}
        assert expire_runs(store.paths) == {}
        told = read_run(store.paths, report.run_id)
        assert told.is_expired
        assert told.report().held_bytes == 0
        assert told.report().achieved_bytes == report.achieved_bytes
        assert versions(store, A + "tui-old") == []
        with pytest.raises(EntryNotFoundError, match="ended"):
            take_back(store, report.run_id)
        year_ms = 367 * 86_400_000
        expire_runs(store.paths, now_ms=told.take_back_until_ms + year_ms)
        assert runs(store.paths) == []
    assert snapshot(home) == after


def test_nothing_expires_before_its_time(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    before = snapshot(home)
    report = run(home, home.plan(EVERYTHING))
    with home.open() as store:
        assert expire_runs(store.paths, now_ms=report.take_back_until_ms - 1) == {}
        take_back(store, report.run_id)
    assert snapshot(home) == before


def test_unknown_run_and_item_are_refused(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(EVERYTHING))
    with home.open() as store:
        for run_id in ("none", "../..", "", ".hidden"):
            with pytest.raises(EntryNotFoundError):
                take_back(store, run_id)
        with pytest.raises(EntryNotFoundError, match="no item"):
            take_back(store, report.run_id, items=["entry-0"])


@pytest.mark.parametrize("skip", [0, 1, 2, 3, 4, 5, 7, 9])
def test_full_disk_stops_the_run_which_then_goes_on(tmp_path: Path, skip: int) -> None:
    home = home_of(tmp_path, "directory")
    plan = home.plan(EVERYTHING)
    with injected("write", errno.ENOSPC, skip=skip) as fault:
        try:
            run(home, plan)
        except StoreIOError as error:
            assert error.errno == errno.ENOSPC
            assert error.report is None or isinstance(error.report, MaintenanceReport)
    assert fault.struck
    report = run(home, plan)
    assert report.outcomes == {"done": 5}
    with home.open() as store:
        assert len([one for one in runs(store.paths) if one.report().outcomes]) == 1


def test_progress_that_raises_stops_and_the_same_call_goes_on(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    plan = home.plan(EVERYTHING)
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int, item: str) -> None:
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(home, plan, progress=stop)
    with home.open() as store:
        (left,) = runs(store.paths)
        assert not left.is_finished
        assert left.report().outcomes == {"done": 2}
    report = run(home, plan)
    assert report.run_id == left.id
    assert report.outcomes == {"done": 5}
    assert seen == [(0, 5), (1, 5), (2, 5)]


def test_damaged_record_is_told_and_hides_no_other(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    first = run(home, home.plan(EVERYTHING))
    folder = home.path.parent / ".sessionstore" / "sessions" / "maintenance"
    (folder / "broken").mkdir()
    (folder / "broken" / "plan.json").write_text("{")
    with home.open() as store:
        assert [one.id for one in runs(store.paths)] == [first.run_id]
        with pytest.raises(Exception, match="damaged"):
            read_run(store.paths, "broken")
        assert keys(plan_maintenance(store, EVERYTHING, now_ms=NOW)) == []


def test_asyncio_twin_checks_plans_applies_and_takes_back(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    before = snapshot(home)

    async def tidy() -> None:
        async with aio.open_store(home.path, gateway_lock_dir=home.gateway) as store:
            assert any(one.rule == "orphan-transcript" for one in await store.check())
            plan = await store.plan_maintenance(EVERYTHING)
            report = await store.maintain(plan, by="ada")
            assert report.outcomes["done"] >= 4
            assert (await store.get(A + "tui-old")) is None
            back = await store.take_back(report.run_id)
            assert set(back.outcomes) == {"taken-back"}

    asyncio.run(tidy())
    assert snapshot(home) == before


def test_undo_of_one_session_brings_its_transcript_note(tmp_path: Path) -> None:
    """What the console's own undo reads, so that it puts the transcript back as well."""
    home = Home(tmp_path)
    home.fill({A + "tui-old": row(40, "old")})
    home.file("old.jsonl", 40)
    run(home, home.plan(MaintenancePolicy(prune_after_s=DAY_S)))
    with home.open() as store:
        (version,) = versions(store, A + "tui-old")
    name, archived = version.note["transcript"]
    assert name == "old.jsonl"
    assert archived in home.names()


def test_taking_back_tells_its_progress(tmp_path: Path) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(EVERYTHING))
    seen: list[tuple[int, int]] = []
    with home.open() as store:
        take_back(store, report.run_id, progress=lambda done, total, _: seen.append((done, total)))
    assert seen == [(n, 5) for n in range(5)]


@pytest.mark.parametrize("target", ["trash/../../x", "trash/..", "trash/", "../x", "/etc/x"])
def test_record_that_was_tampered_with_leads_nowhere(tmp_path: Path, target: str) -> None:
    home = home_of(tmp_path, "directory")
    report = run(home, home.plan(EVERYTHING))
    folder = home.path.parent / ".sessionstore" / "sessions" / "maintenance" / report.run_id
    orphan = item_of(report.plan, "orphan.jsonl").id
    names = [["orphan.jsonl", target]]
    record = {"state": "done", "at_ms": 1, "item": orphan, "names": names}
    with (folder / "journal").open("a") as journal:
        journal.write("\n" + json.dumps(record) + "\n")
    with home.open() as store:
        back = take_back(store, report.run_id, items=[orphan])
    assert outcomes(back)["orphan.jsonl"] == "done"
    assert "orphan.jsonl" not in home.names()
