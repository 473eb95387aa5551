"""Undoing a migration: what goes back, what is said before, what is refused."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from sessionstore import StalePlanError, UnsupportedStoreError, open_store, plan_rollback, rollback
from sessionstore.migration import RollbackPlan
from sessionstore.migration.sessions import Sessions
from sessionstore.opened import OpenDirectory
from sessionstore.paths import store_paths
from tests.sessionstore.helpers import entry, file_of
from tests.sessionstore.migration.runs import (
    backups,
    digest,
    leftovers,
    loaded,
    run,
    stored,
    write_store,
)
from tests.sessionstore.test_samples import AGENTS, JSON_ERA, SAMPLES, copy_of, store_file_of

A, B, C = "agent:main:a", "agent:main:b", "agent:main:c"
ODD = "agent:main:telegram:<odd>"
ENTRIES = {B: entry(label="b"), A: entry(label="Ada"), ODD: entry(), C: entry(label="c")}


@pytest.fixture
def path(store_file: Path) -> Path:
    """A migrated store; its source was written by the JSON-era program."""
    write_store(store_file, ENTRIES)
    run(store_file)
    return store_file


def planned(path: Path) -> RollbackPlan:
    with open_store(path) as store:
        return plan_rollback(store)


def actions(plan: RollbackPlan) -> dict[str, str]:
    return {row.key: row.action for row in plan.sessions}


def test_untouched_migration_rolls_back_equal_by_hash(path: Path) -> None:
    (source,) = backups(path)
    report = rollback(planned(path))
    assert digest(path) == report.sha256 == digest(source)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.with_suffix(".d").exists()
    assert leftovers(path) == []


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no sample state directories at {SAMPLES}")
@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("sample", JSON_ERA)
def test_sample_migrates_and_rolls_back_equal(
    tmp_path: Path, sample: str, agent: str, guard: bool
) -> None:
    path = store_file_of(copy_of(sample, tmp_path), agent)
    before = path.read_bytes()
    report = run(path, guard=guard, gateway_lock_dir=tmp_path)
    assert report.outcome == "migrated"
    assert {key: len(value) for key, value in loaded(path).items()}.keys() == json.loads(
        before
    ).keys()
    rollback(planned(path))
    assert path.read_bytes() == before


def test_spelling_of_the_source_comes_back(store_file: Path) -> None:
    before = write_store(store_file, {"Agent:Main:Upper": entry(), "agent:main:a": entry()})
    run(store_file)
    assert set(loaded(store_file)) == {"agent:main:upper", "agent:main:a"}
    rollback(planned(store_file))
    assert store_file.read_bytes() == before


def test_rows_that_never_were_sessions_come_back(store_file: Path) -> None:
    before = write_store(store_file, {"agent:main:a": entry(), "odd": None, "n": 5, "": {"x": 1}})
    run(store_file)
    rollback(planned(store_file))
    assert store_file.read_bytes() == before


def change(path: Path) -> dict[str, Any]:
    """Write, create and delete sessions as a gateway does; what a reader sees then."""
    with open_store(path) as store:
        store.patch(A, {"label": "Ada II", "updatedAt": 1_900_000_000_000})
        store.put("agent:main:new", entry(label="new"))
        store.delete(C)
        return store.load()


def test_everything_written_since_goes_back(path: Path) -> None:
    now = change(path)
    rollback(planned(path))
    assert loaded(path) == now
    assert list(json.loads(path.read_bytes())) == [B, A, ODD, "agent:main:new"]


def test_plan_lists_what_each_session_became(path: Path) -> None:
    change(path)
    plan = planned(path)
    assert plan.possible
    assert actions(plan) == {
        A: "written since",
        B: "same",
        C: "deleted since",
        ODD: "same",
        "agent:main:new": "new since",
    }
    assert "1 written since the migration, 1 new since, 1 deleted since" in plan.sentence
    assert plan.needed_bytes > 0
    assert plan.free_bytes > 0


def test_planning_changes_nothing_and_has_a_digest(path: Path) -> None:
    before = stored(path)
    plan = planned(path)
    assert plan.digest == planned(path).digest
    assert stored(path) == before
    change(path)
    assert planned(path).digest != plan.digest


@pytest.mark.parametrize("how", ["written", "deleted"])
def test_plan_is_stale_when_a_named_session_moved(path: Path, how: str) -> None:
    plan = planned(path)
    with open_store(path) as store:
        if how == "written":
            store.patch(A, {"label": "later"})
        else:
            store.delete(A)
    before = stored(path)
    with pytest.raises(StalePlanError) as caught:
        rollback(plan)
    assert caught.value.keys == (A,)
    assert stored(path) == before
    assert not path.exists()
    assert leftovers(path) == []


def test_session_made_since_the_plan_goes_back_too(path: Path) -> None:
    plan = planned(path)
    with open_store(path) as store:
        store.put("agent:main:late", entry(label="late"))
    rollback(plan)
    assert "agent:main:late" in loaded(path)


def test_guard_goes_and_the_file_takes_its_place(store_file: Path) -> None:
    before = write_store(store_file, ENTRIES)
    run(store_file, guard=True)
    rollback(planned(store_file))
    assert store_file.read_bytes() == before
    assert leftovers(store_file) == []


def test_guard_with_a_file_of_somebody_else_is_kept(store_file: Path) -> None:
    write_store(store_file, ENTRIES)
    run(store_file, guard=True)
    (store_file / "theirs.txt").write_text("keep me")
    rollback(planned(store_file))
    assert loaded(store_file) == ENTRIES
    kept = [one for one in backups(store_file) if one.is_dir() and (one / "theirs.txt").exists()]
    assert len(kept) == 1


def test_store_file_of_another_program_is_kept(path: Path) -> None:
    foreign = write_store(path, {"agent:main:theirs": entry()})
    plan = planned(path)
    assert "both-layouts" in {finding.rule for finding in plan.findings}
    rollback(plan)
    assert loaded(path) == ENTRIES
    assert foreign in [one.read_bytes() for one in backups(path) if one.is_file()]


def test_nothing_to_roll_back_is_said_and_refused(store_file: Path) -> None:
    write_store(store_file, ENTRIES)
    plan = planned(store_file)
    assert not plan.possible
    assert "nothing to roll back" in plan.sentence
    with pytest.raises(UnsupportedStoreError):
        rollback(plan)
    assert not (store_file.parent / ".sessionstore" / "sessions" / "runs").exists()


def test_damaged_session_stays_in_the_directory_set_aside(path: Path) -> None:
    with open_store(path) as store:
        file_of(store, A).write_bytes(b"{ damaged")
    plan = planned(path)
    assert [finding.key for finding in plan.findings if finding.rule == "damaged-entry"] == [A]
    report = rollback(plan)
    assert set(loaded(path)) == ENTRIES.keys() - {A}
    aside = path.parent / report.directory_kept
    assert b"{ damaged" in [one.read_bytes() for one in aside.glob("*.json")]


def test_number_that_json_does_not_know_becomes_null(path: Path) -> None:
    with open_store(path) as store:
        file_of(store, A).write_bytes(b'{"sessionId": "s-1", "ratio": NaN}')
    rollback(planned(path))
    assert json.loads(path.read_bytes())[A] == {"sessionId": "s-1", "ratio": None}


def test_warnings_name_what_later_programs_refuse(store_file: Path) -> None:
    write_store(
        store_file,
        {
            "big": entry(cost=2**53 + 1),
            "id": entry(sessionId="a/b"),
            "long": entry(sessionId="x" * 129),
            "time": entry(updatedAt=1.5),
            "file": entry(sessionFile="/elsewhere/s-1.jsonl"),
            "sound": entry(cost=2**53),
        },
    )
    run(store_file)
    found = {(finding.rule, finding.key) for finding in planned(store_file).findings}
    assert found >= {
        ("big-integer", "big"),
        ("refused-id", "id"),
        ("refused-id", "long"),
        ("odd-time", "time"),
        ("transcript-elsewhere", "file"),
    }
    assert "sound" not in {key for _, key in found}


def test_store_can_be_migrated_again_after_a_rollback(path: Path) -> None:
    now = change(path)
    rollback(planned(path))
    report = run(path)
    assert report.outcome == "migrated"
    assert loaded(path) == now
    assert leftovers(path) == []
    rollback(planned(path))
    assert loaded(path) == now


def test_directory_set_aside_never_replaces_another(path: Path) -> None:
    plan = planned(path)
    (path.parent / plan.set_aside_as).mkdir()
    report = rollback(plan)
    assert report.directory_kept != plan.set_aside_as
    assert os.listdir(path.parent / plan.set_aside_as) == []


def test_order_falls_back_to_keys_without_the_kept_source(path: Path) -> None:
    for one in backups(path):
        shutil.move(one, path.parent.parent / one.name)
    rollback(planned(path))
    assert loaded(path) == ENTRIES
    assert list(json.loads(path.read_bytes())) == sorted(ENTRIES)


@pytest.mark.parametrize("age_s", [0, 3600])
def test_second_look_finds_what_changed_since_the_first(path: Path, age_s: int) -> None:
    """Also where the directory's time is old enough to be trusted, and nobody wrote since."""
    directory = path.with_suffix(".d")
    then = directory.stat().st_mtime - age_s
    for one in (directory, directory / "x"):
        os.utime(one, (then, then))
    found = Sessions(OpenDirectory(store_paths(path)))
    assert found.refresh() == ENTRIES.keys()
    assert found.refresh() == set()
    with open_store(path) as store:
        store.patch(A, {"label": "again"})
        store.delete(ODD)
        store.put("agent:main:late", entry())
    assert found.refresh() == {A, ODD, "agent:main:late"}
    assert found.data.keys() == {A, B, C, "agent:main:late"}
