"""Nothing is tidied where the database has the sessions: its files only look like orphans."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstore.errors import UnsupportedStoreError
from sessionstore.maintenance.apply import maintain
from sessionstore.maintenance.check import check
from sessionstore.maintenance.plan import plan_maintenance
from sessionstore.maintenance.plan_shapes import MaintenancePolicy
from sessionstore.store import open_store
from tests.sessionstore.sqlitestore.databases import database_file, make, store_file

KEY = "agent:main:main"
ENTRY = {"sessionId": "one", "updatedAt": 5}
POLICY = MaintenancePolicy(orphan_retention_s=1, leftover_retention_s=1)


@pytest.fixture
def left_over(tmp_path: Path) -> Path:
    """A transcript that the program's import left behind; its session is in the database."""
    make(database_file(tmp_path), {KEY: ENTRY})
    path = store_file(tmp_path).with_name("one.jsonl")
    path.parent.mkdir(parents=True)
    path.write_text('{"type":"session","id":"one"}\n')
    return path


def test_no_rule_calls_its_transcripts_orphans(tmp_path: Path, left_over: Path) -> None:
    with open_store(store_file(tmp_path)) as store:
        assert [one for one in check(store) if one.severity != "info"] == []


def test_no_plan_is_made(tmp_path: Path, left_over: Path) -> None:
    with open_store(store_file(tmp_path)) as store, pytest.raises(UnsupportedStoreError):
        plan_maintenance(store, POLICY)
    assert left_over.exists()


def test_a_plan_of_before_is_not_carried_out(tmp_path: Path, left_over: Path) -> None:
    database = database_file(tmp_path).rename(tmp_path / "later.sqlite")
    archive = left_over.with_name("one.jsonl.deleted.2026-01-05T07-30-00.000Z")
    archive.write_text("{}\n")
    policy = MaintenancePolicy(archive_retention_s=1)
    with open_store(store_file(tmp_path)) as store:
        plan = plan_maintenance(store, policy, now_ms=4_000_000_000_000)
    assert [item.path for item in plan.acting] == [archive.name]
    database.rename(database_file(tmp_path))
    with pytest.raises(UnsupportedStoreError, match="only read"):
        maintain(plan)
    assert archive.exists()
