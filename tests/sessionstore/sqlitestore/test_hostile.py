"""Databases made to harm, out of reach or in use: a clear error, and nothing changed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from sessionstore import databasefile
from sessionstore.databasefile import opened
from sessionstore.errors import (
    CorruptStoreError,
    FileTooLargeError,
    LockTimeoutError,
    SessionStoreError,
    StoreIOError,
    UnsafeFileError,
    UnsupportedStoreError,
)
from sessionstore.paths import store_paths
from sessionstore.sqlitestore import SqliteStore, rows
from tests.sessionstore.sqlitestore.databases import database_file, make, put, store_file

ENTRY = {"sessionId": "one", "updatedAt": 5}
KEY = "agent:main:main"


def sqlite_store(state: Path, **options: int) -> SqliteStore:
    return SqliteStore(store_paths(store_file(state)), **options)


def run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


HOSTILE_TABLES = {
    "view": "CREATE VIEW session_nodes AS SELECT 'k' AS session_key, '{}' AS entry_json, "
    "1 AS updated_at",
    "endless view": "CREATE VIEW session_nodes AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL "
    "SELECT x + 1 FROM n) SELECT x AS session_key, '{}' AS entry_json, 1 AS updated_at FROM n",
    "virtual table": "CREATE VIRTUAL TABLE session_nodes USING fts5(session_key, entry_json, "
    "updated_at)",
    "other columns": "CREATE TABLE session_nodes (a, b)",
    "nothing": "SELECT 1",
}


@pytest.mark.parametrize("name", HOSTILE_TABLES)
def test_what_only_has_the_name_of_the_table_is_refused(tmp_path: Path, name: str) -> None:
    path = make(database_file(tmp_path))
    run(path, "DROP TABLE session_nodes", HOSTILE_TABLES[name])
    with pytest.raises(UnsupportedStoreError, match="no table session_nodes of that form"):
        sqlite_store(tmp_path).keys()


def test_an_order_that_a_column_fakes_ends_with_an_error(tmp_path: Path) -> None:
    path = make(database_file(tmp_path))
    run(
        path,
        "DROP TABLE session_nodes",
        "CREATE TABLE session_nodes (rowid TEXT, session_key, entry_json, updated_at)",
        "INSERT INTO session_nodes VALUES ('x', 'agent:main:a', '{}', 1)",
    )
    with pytest.raises(CorruptStoreError):
        list(sqlite_store(tmp_path).scan())


def test_rows_of_any_type_are_findings(tmp_path: Path) -> None:
    path = make(database_file(tmp_path))
    run(
        path,
        "DROP TABLE session_nodes",
        "CREATE TABLE session_nodes (session_key, entry_json, updated_at)",
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for key, entry in (
            (None, "{}"),
            (7, "{}"),
            ("agent:main:n", None),
            ("agent:main:i", 3),
            (b"\xff\xfe", "{}"),
            (KEY, json.dumps(ENTRY)),
        ):
            database.execute("INSERT INTO session_nodes VALUES (?, ?, ?)", (key, entry, "later"))
    store = sqlite_store(tmp_path)
    assert {one.key: one.entry for one in store.scan() if one.entry} == {KEY: ENTRY}
    assert sorted(one.rule for one in store.problems()) == [
        "damaged-entry",
        "damaged-entry",
        "invalid-key",
        "invalid-key",
        "invalid-key",
    ]


def test_spellings_of_one_key_give_one_session(tmp_path: Path) -> None:
    path = make(database_file(tmp_path))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        put(database, "Agent:Main:Both", {"updatedAt": 9})
        put(database, "agent:main:both", {"updatedAt": 1})
        put(database, "AGENT:main:odd", {"updatedAt": 2})
    store = sqlite_store(tmp_path)
    assert {one.key: one.entry for one in store.scan() if one.key} == {
        "agent:main:both": {"updatedAt": 1},
        "agent:main:odd": {"updatedAt": 2},
    }
    assert [one.rule for one in store.problems()] == ["duplicate-key"]
    assert store.get("agent:main:odd") == {"updatedAt": 2}
    assert store.keys() == ["agent:main:both", "agent:main:odd"]


def test_a_huge_row_is_named_and_the_rows_around_it_are_read(tmp_path: Path) -> None:
    path = make(database_file(tmp_path))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        put(database, "agent:main:a", ENTRY)
        put(database, "agent:main:huge", {"x": "y" * 300_000})
        put(database, "k" * 300_000, ENTRY)
        put(database, "agent:main:z", ENTRY)
    store = sqlite_store(tmp_path, max_entry_bytes=1_000)
    assert [one.key for one in store.scan() if one.entry] == ["agent:main:a", "agent:main:z"]
    assert sorted((one.rule, one.key or "") for one in store.problems()) == [
        ("invalid-key", ""),
        ("unsafe-file", "agent:main:huge"),
    ]
    with pytest.raises(FileTooLargeError):
        store.get("agent:main:huge")


def test_a_column_that_works_for_ever_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(database_file(tmp_path))
    run(path, "DROP TABLE session_nodes")
    slow = "replace(hex(zeroblob(4000000)), '00', 'abcdef')"
    columns = ", ".join(f"c{n} AS (length({slow}))" for n in range(40))
    total = " + ".join(f"c{n}" for n in range(40))
    run(
        path,
        f"CREATE TABLE session_nodes (session_key, updated_at, {columns}, "
        f"entry_json AS (CAST({total} AS TEXT)))",
        "INSERT INTO session_nodes VALUES ('agent:main:a', 1)",
    )
    monkeypatch.setattr(databasefile, "LONGEST_S", 0.2)
    with pytest.raises(SessionStoreError):
        list(sqlite_store(tmp_path, max_entry_bytes=1_000).scan())


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM session_nodes",
        "PRAGMA user_version = 4",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only = OFF",
        "PRAGMA wal_checkpoint",
        "ATTACH DATABASE ':memory:' AS other",
        "VACUUM",
        "BEGIN IMMEDIATE",
        "SELECT load_extension('x')",
        "SELECT * FROM secrets",
        "CREATE TEMP TABLE x (y)",
    ],
)
def test_a_connection_can_do_nothing_but_read_sessions(tmp_path: Path, statement: str) -> None:
    path = make(database_file(tmp_path), {KEY: ENTRY})
    run(path, "CREATE TABLE secrets (token)", "INSERT INTO secrets VALUES ('x')")
    before = path.read_bytes()
    with pytest.raises(SessionStoreError), opened(path) as database:
        database.execute(statement).fetchall()
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no database at all " * 500, b"SQLite format 3\0" * 300])
def test_a_file_that_is_no_database_is_an_error_of_its_own(tmp_path: Path, content: bytes) -> None:
    path = database_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises((CorruptStoreError, UnsupportedStoreError, StoreIOError)):
        sqlite_store(tmp_path).keys()
    assert path.read_bytes() == content


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_link_is_not_followed(tmp_path: Path, suffix: str) -> None:
    elsewhere = make(tmp_path / "elsewhere.sqlite", {KEY: ENTRY})
    path = database_file(tmp_path)
    if suffix:
        make(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{path}{suffix}").symlink_to(elsewhere)
    with pytest.raises(UnsafeFileError, match="symbolic link"):
        sqlite_store(tmp_path).keys()


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    make(tmp_path / "elsewhere" / "openclaw-agent.sqlite", {KEY: ENTRY})
    folder = database_file(tmp_path).parent
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFileError, match="symbolic link"):
        sqlite_store(tmp_path).keys()


def test_a_pipe_in_its_place_blocks_nobody(tmp_path: Path) -> None:
    path = database_file(tmp_path)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    with pytest.raises(UnsafeFileError, match="not a regular file"):
        sqlite_store(tmp_path).keys()


def test_a_locked_database_says_so(tmp_path: Path) -> None:
    path = make(database_file(tmp_path), {KEY: ENTRY})
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("UPDATE session_nodes SET updated_at = 7")
        with pytest.raises(LockTimeoutError, match="locked by another process"):
            sqlite_store(tmp_path).keys()
        holder.execute("ROLLBACK")
    assert sqlite_store(tmp_path).keys() == [KEY]


def test_another_users_closed_database_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(database_file(tmp_path), {KEY: ENTRY})
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    with pytest.raises(StoreIOError, match="keep its owner out"):
        sqlite_store(tmp_path).keys()
    assert [one.name for one in database_file(tmp_path).parent.iterdir()] == [
        "openclaw-agent.sqlite"
    ]


WRITER = """
    import json, sqlite3, sys
    database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
    database.execute("PRAGMA wal_autocheckpoint = 20")
    at = 0
    while True:
        at += 1
        database.execute("BEGIN IMMEDIATE")
        for n in range(50):
            database.execute(
                "INSERT INTO session_nodes (session_key, current_session_id, entry_json, "
                "updated_at) VALUES (?, 'id', ?, ?) ON CONFLICT (session_key) DO UPDATE SET "
                "entry_json = excluded.entry_json, updated_at = excluded.updated_at",
                (f"agent:main:{n}", json.dumps({"updatedAt": at, "pad": "x" * 2000}), at),
            )
        database.execute("COMMIT")
        print(at, flush=True)
"""


def test_a_live_writer_and_readers_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PAGE_S", 30.0)
    path = make(database_file(tmp_path))
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            store = sqlite_store(tmp_path)
            seen: list[int] = []
            ends = time.monotonic() + 2
            while time.monotonic() < ends or len(set(seen)) < 3:
                found = {one.key: one.entry for one in store.scan()}
                assert len(found) == 50
                times = {entry["updatedAt"] for entry in found.values() if entry}
                # One page, so one moment of the database: all rows of one commit.
                assert len(times) == 1
                seen.append(times.pop())
            assert seen == sorted(seen)
            assert writer.poll() is None
        finally:
            writer.kill()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA quick_check").fetchone() == ("ok",)


def test_rows_of_a_killed_writer_are_read_from_its_log(tmp_path: Path) -> None:
    path = make(database_file(tmp_path))
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        done = int(writer.stdout.readline())
        writer.kill()
    times = {one.entry["updatedAt"] for one in sqlite_store(tmp_path).scan() if one.entry}
    assert len(times) == 1
    assert times.pop() >= done


AS_NOBODY = """
    import os, sys
    from sessionstore.errors import SessionStoreError
    from sessionstore.paths import store_paths
    from sessionstore.sqlitestore import SqliteStore
    os.setgid(65534)
    os.setuid(65534)
    try:
        print(SqliteStore(store_paths(sys.argv[1])).keys())
    except SessionStoreError as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user")
def test_another_user_reads_beside_a_gateway_and_leaves_nothing_without_one() -> None:
    with tempfile.TemporaryDirectory() as place:  # pytest's own folder lets nobody else in
        state = Path(place) / "state"
        path = make(database_file(state), {KEY: ENTRY})
        for one in [Path(place), *Path(place).rglob("*")]:
            one.chmod(0o755 if one.is_dir() else 0o644)
        command = [sys.executable, "-c", textwrap.dedent(AS_NOBODY), str(store_file(state))]
        repository = Path(databasefile.__file__).parents[1]

        def read() -> str:
            return subprocess.run(
                command, cwd=repository, check=True, capture_output=True, text=True
            ).stdout

        assert "keep its owner out" in read()
        assert [one.name for one in path.parent.iterdir()] == [path.name]
        with closing(sqlite3.connect(path, isolation_level=None)) as gateway:
            gateway.execute("UPDATE session_nodes SET updated_at = 7")
            for one in path.parent.iterdir():
                one.chmod(0o644)
            assert read() == f"[{KEY!r}]\n"
