"""Runs over many stores, beside a gateway, and after somebody took the source away."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sessionstore import GatewayRunningError, migrate, migrate_all
from sessionstore.migration import MigrationReport
from tests.sessionstore.children.gateways import gateway_lock, start_time
from tests.sessionstore.helpers import entry
from tests.sessionstore.migration.runs import (
    backups,
    leftovers,
    loaded,
    plan_of,
    run,
    write_store,
)

A, B = "agent:main:a", "agent:main:b"


def test_failure_of_one_store_never_stops_the_others(tmp_path: Path) -> None:
    paths = [tmp_path / name / "sessions.json" for name in ("one", "two", "three")]
    for path in paths:
        write_store(path, {A: entry(label=path.parent.name)})
    plans = [plan_of(path) for path in paths]
    paths[1].rename(tmp_path / "real.json")
    paths[1].symlink_to(tmp_path / "real.json")
    reports = migrate_all(plans, gateway_lock_dir=tmp_path)
    assert [report.outcome for report in reports] == ["migrated", "failed", "migrated"]
    assert "symbolic link" in reports[1].error
    assert reports[1].hint
    assert reports[1].sentence.startswith("The migration failed")
    assert [loaded(path)[A]["label"] for path in (paths[0], paths[2])] == ["one", "three"]


def test_what_progress_raises_ends_a_run_over_many(tmp_path: Path) -> None:
    path = tmp_path / "one" / "sessions.json"
    write_store(path, {A: entry()})

    def progress(done: int, total: int, item: str) -> None:
        raise GatewayRunningError("said by the caller")

    with pytest.raises(GatewayRunningError, match="said by the caller"):
        migrate_all([plan_of(path)] * 2, progress=progress, gateway_lock_dir=tmp_path)
    assert not path.with_suffix(".d").exists()


def test_live_gateway_keeps_its_file(store_file: Path, tmp_path: Path) -> None:
    state = store_file.parents[3]
    before = write_store(store_file, {A: entry()})
    plan = plan_of(store_file)
    gateway_lock(tmp_path / "tmp", state, os.getpid(), startTime=start_time(os.getpid()))
    with pytest.raises(GatewayRunningError, match="stop the gateway") as caught:
        migrate(plan, gateway_lock_dir=tmp_path / "tmp")
    assert isinstance(caught.value.report, MigrationReport)
    assert store_file.read_bytes() == before
    assert not store_file.with_suffix(".d").exists()
    assert leftovers(store_file) == []


def test_live_gateway_is_no_matter_where_nothing_is_left_to_take(
    store_file: Path, tmp_path: Path
) -> None:
    write_store(store_file, {A: entry()})
    run(store_file)
    gateway_lock(tmp_path / "tmp", store_file.parents[3], os.getpid())
    assert run(store_file, gateway_lock_dir=tmp_path / "tmp").outcome == "already"


def test_safety_copy_of_a_killed_run_stays_when_the_source_is_gone(store_file: Path) -> None:
    before = write_store(store_file, {A: entry(), B: entry()})

    def progress(done: int, total: int, item: str) -> None:
        os.kill(os.getpid(), 9)

    pid = os.fork()
    if pid == 0:
        run(store_file, progress=progress)
    os.waitpid(pid, 0)
    store_file.unlink()
    report = run(store_file)
    assert report.outcome == "missing"
    (finding,) = [one for one in report.findings if one.rule == "safety-copy"]
    assert finding.path is not None
    assert Path(finding.path).read_bytes() == before
    shutil.copy(finding.path, store_file)
    assert run(store_file).outcome == "migrated"
    assert loaded(store_file).keys() == {A, B}
    assert leftovers(store_file) == []
    assert len(backups(store_file)) == 1


def test_report_says_first_what_was_done(store_file: Path) -> None:
    write_store(store_file, {A: entry(), B: entry()})
    report = run(store_file)
    assert report.sentence == (
        "2 sessions were moved to sessions.d and read back. "
        f"The source is kept as {report.source_kept}."
    )
    assert report.agent_id == "main"
    assert 0 < report.exclusive_s < report.took_s
