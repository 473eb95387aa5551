"""The index of a store in OpenClaw's database: exact at each refresh, and calm beside locks."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sessionstore.index import Index, Query
from sessionstore.paths import store_paths
from sessionstore.store import open_store
from tests.sessionstore.sqlitestore.databases import database_file, make, put, store_file

A, B = "agent:main:telegram:direct:a", "agent:main:cron:b"


@pytest.fixture
def index(tmp_path: Path) -> Index:
    make(
        database_file(tmp_path),
        {A: {"sessionId": "a", "updatedAt": 5, "label": "Ada"}, B: {"updatedAt": 4}},
    )
    return Index(store_paths(store_file(tmp_path)))


@pytest.fixture
def gateway(tmp_path: Path, index: Index) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database_file(tmp_path), isolation_level=None)) as database:
        yield database


def keys(index: Index) -> list[str]:
    index.refresh()
    return [row.key for row in index.query(Query(machine=True, sort="key", descending=False)).rows]


def test_rows_are_those_of_any_layout(index: Index) -> None:
    assert keys(index) == [B, A]
    row = index.get(A)
    assert row is not None
    assert (row.name, row.session_id, row.channel, row.layout) == ("Ada", "a", "telegram", "sqlite")
    assert row.file_name == "openclaw-agent.sqlite"
    assert index.layout == "sqlite"
    assert index.problems() == []
    assert [row.key for row in index.query(Query(text="ada")).rows] == [A]


def test_each_commit_is_in_the_next_refresh(index: Index, gateway: sqlite3.Connection) -> None:
    assert keys(index) == [B, A]
    for n in range(30):
        put(gateway, A, {"updatedAt": n, "label": f"n{n}"})
        index.refresh()
        row = index.get(A)
        assert row is not None
        assert row.name == f"n{n}"
    gateway.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    gateway.execute("DELETE FROM session_nodes WHERE session_key = ?", (B,))
    assert keys(index) == [A]


def test_nothing_new_is_not_read_again(index: Index, tmp_path: Path) -> None:
    keys(index)
    ends = time.monotonic() + 10
    while index.refresh().scanned:  # until the times are old enough to be trusted
        assert time.monotonic() < ends
        time.sleep(0.02)
    version = index.version
    assert not index.refresh().scanned
    assert index.version == version


def test_a_locked_database_keeps_its_rows_until_it_can_be_read(
    index: Index, gateway: sqlite3.Connection
) -> None:
    keys(index)
    gateway.execute("PRAGMA locking_mode = EXCLUSIVE")
    gateway.execute("BEGIN EXCLUSIVE")
    put(gateway, "agent:main:new", {"updatedAt": 9})
    gateway.execute("COMMIT")  # the lock stays for as long as the connection does
    assert keys(index) == [B, A]
    assert [one.rule for one in index.problems()] == ["locked"]
    gateway.close()
    assert "agent:main:new" in keys(index)
    assert index.problems() == []


def test_a_file_store_that_comes_back_counts_again(index: Index, tmp_path: Path) -> None:
    keys(index)
    away = database_file(tmp_path).rename(tmp_path / "away")
    with open_store(store_file(tmp_path)) as store:
        store.put("agent:main:new", {"sessionId": "x"})
    away.rename(database_file(tmp_path))
    assert keys(index) == ["agent:main:new"]
    assert index.layout == "directory"


def test_a_damaged_database_has_no_rows_and_says_why(index: Index, tmp_path: Path) -> None:
    keys(index)
    database_file(tmp_path).write_bytes(b"no database" * 1000)
    assert keys(index) == []
    assert [one.severity for one in index.problems()] == ["error"]
