"""Sessions of a SQLite-era agent: read as the program reads them, and never written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sessionstore import create_backup, discover, export_legacy, open_store, plan_migration
from sessionstore.errors import (
    CorruptEntryError,
    UnsupportedStoreError,
)
from sessionstore.index import Index
from sessionstore.migration import migrate
from sessionstore.paths import store_paths
from sessionstore.sqlitestore import SqliteStore
from sessionstore.store import Store
from tests.sessionstore.sqlitestore.databases import (
    database_file,
    make,
    put,
    sample,
    sample_entries,
    store_file,
)

AGENTS = ["main", "work"]
SQLITE_ERA = [
    "openclaw-2026.9.6",
    *(f"openclaw-2026.9.6-imported-from-{one}" for one in ("2026.3.31", "2026.6.11", "2026.7.1-2")),
]
ENTRY = {"sessionId": "one", "updatedAt": 5, "label": "kitchen"}
KEY = "agent:main:main"


def sqlite_store(state: Path, agent: str = "main") -> SqliteStore:
    return SqliteStore(store_paths(store_file(state, agent)))


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("name", SQLITE_ERA)
def test_a_sample_has_exactly_the_entries_that_the_program_reads(
    tmp_path: Path, name: str, agent: str
) -> None:
    store = sqlite_store(sample(name, tmp_path), agent)
    expected = sample_entries(name, agent)
    assert store.keys() == sorted(expected)
    assert {one.key: one.entry for one in store.scan()} == expected
    assert {key: store.get(key) for key in expected} == expected
    assert store.problems() == []
    assert store.version == 23


def test_a_sample_is_discovered_and_opens_like_any_store(tmp_path: Path) -> None:
    state = sample("openclaw-2026.9.6", tmp_path)
    found = {paths.agent_id: paths for paths in discover(state)}
    assert sorted(str(agent) for agent in found) == AGENTS
    with open_store(found["main"].store_path) as store:
        assert store.layout == "sqlite"
        assert sorted(store.load()) == sorted(sample_entries("openclaw-2026.9.6", "main"))
        assert {finding.severity for finding in store.problems()} <= {"info"}


@pytest.mark.parametrize("version", [4, 16, 19, 23])
def test_each_known_form_is_read(tmp_path: Path, version: int) -> None:
    make(database_file(tmp_path), {KEY: ENTRY}, version=version)
    store = sqlite_store(tmp_path)
    assert store.version == version
    assert store.get(KEY) == ENTRY
    assert store.updated_at(KEY) == 5
    assert store.etag(KEY) is not None
    assert store.get("agent:main:other") is None


@pytest.mark.parametrize("version", [0, 2, 15, 24, 2**31 - 1])
def test_an_unknown_form_is_refused_by_its_number(tmp_path: Path, version: int) -> None:
    make(database_file(tmp_path), {KEY: ENTRY}, version=version)
    with pytest.raises(UnsupportedStoreError, match=rf"form {version} \(user_version\)"):
        sqlite_store(tmp_path).keys()
    assert open_store(store_file(tmp_path)).layout == "sqlite"


def test_a_database_of_credentials_only_hides_no_file_store(tmp_path: Path) -> None:
    make(database_file(tmp_path), version=1)
    with open_store(store_file(tmp_path)) as store:
        layouts = [store.layout]
        store.put(KEY, ENTRY)
        assert [*layouts, store.layout] == ["empty", "directory"]


def test_a_file_store_counts_where_both_are(tmp_path: Path) -> None:
    make(database_file(tmp_path), {KEY: ENTRY})
    store_file(tmp_path).parent.mkdir(parents=True)
    store_file(tmp_path).write_text(json.dumps({"agent:main:old": ENTRY}))
    with open_store(store_file(tmp_path)) as store:
        assert store.layout == "legacy"
        assert store.keys() == ["agent:main:old"]


def test_the_history_is_the_windows_that_ended(tmp_path: Path) -> None:
    path = make(database_file(tmp_path), {KEY: {**ENTRY, "sessionId": "three"}})
    rows = [("one", 10, None), ("two", 20, 25), ("three", 30, None)]
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for name, at, ended in rows:
            database.execute(
                "INSERT INTO session_windows (session_id, session_key, reason, created_at, "
                "updated_at, ended_at) VALUES (?, ?, 'reset', ?, ?, ?)",
                (name, KEY, at, at + 1, ended),
            )
    assert [one.session_id for one in sqlite_store(tmp_path).history(KEY)] == [
        "one",
        "two",
        "three",
    ]
    with open_store(store_file(tmp_path)) as store:
        lives = store.history(KEY)
    assert [(one.session_id, one.started_at_ms, one.ended_at_ms) for one in lives] == [
        ("one", 10, 11),
        ("two", 20, 25),
    ]


WRITES: dict[str, Callable[[Store], object]] = {
    "put": lambda store: store.put(KEY, ENTRY),
    "new": lambda store: store.put("agent:main:new", ENTRY),
    "patch": lambda store: store.patch(KEY, {"label": "x"}),
    "update": lambda store: store.update(KEY, lambda entry: {**(entry or {}), "label": "x"}),
    "delete": lambda store: store.delete(KEY),
    "reset": lambda store: store.reset(KEY),
    "update_all": lambda store: store.update_all(lambda every: every.clear()),
    "save": lambda store: store.save({}, base=store.load()),
    "route": lambda store: store.update_last_route(KEY, channel="x"),
    "backup": lambda store: create_backup(store, reason="test"),
}


@pytest.mark.parametrize("write", WRITES)
def test_every_change_is_refused_with_the_reason(tmp_path: Path, write: str) -> None:
    path = make(database_file(tmp_path), {KEY: ENTRY})
    before = path.read_bytes()
    with open_store(store_file(tmp_path)) as store, pytest.raises(UnsupportedStoreError) as caught:
        WRITES[write](store)
    assert "openclaw-agent.sqlite, which is only read" in str(caught.value)
    assert "through the gateway" in caught.value.hint
    assert path.read_bytes() == before
    assert not store_file(tmp_path).exists()
    assert not store_file(tmp_path).with_name("sessions.d").exists()


def test_a_migration_finds_nothing_to_move(tmp_path: Path) -> None:
    make(database_file(tmp_path), {KEY: ENTRY})
    with open_store(store_file(tmp_path)) as store:
        plan = plan_migration(store)
    assert plan.outcome == "missing"
    assert migrate(plan).outcome == "missing"
    assert not store_file(tmp_path).with_name("sessions.d").exists()


def test_an_export_writes_the_database_as_one_file(tmp_path: Path) -> None:
    make(database_file(tmp_path), {KEY: ENTRY})
    with open_store(store_file(tmp_path)) as store:
        export_legacy(store, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == {KEY: ENTRY}


def test_a_damaged_entry_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = make(database_file(tmp_path), {KEY: ENTRY})
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        put(database, "agent:main:bad", "{not json")
        put(database, "agent:main:list", "[1]")
        put(database, "", ENTRY)
    store = sqlite_store(tmp_path)
    assert {one.key for one in store.scan() if one.entry is not None} == {KEY}
    assert sorted((one.rule, str(one.key)) for one in store.problems()) == [
        ("damaged-entry", "agent:main:bad"),
        ("damaged-entry", "agent:main:list"),
        ("invalid-key", "None"),
    ]
    with pytest.raises(CorruptEntryError):
        store.get("agent:main:bad")


def test_an_entry_that_the_program_refuses_is_read_and_said(tmp_path: Path) -> None:
    path = make(database_file(tmp_path), {KEY: ENTRY})
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE session_nodes SET entry_valid = -1")
    store = sqlite_store(tmp_path)
    assert store.get(KEY) == ENTRY
    assert [(one.rule, one.key) for one in store.problems()] == [("refused-entry", KEY)]
    index = Index(store_paths(store_file(tmp_path)))
    index.refresh()
    assert index.summary().sessions == 1
    assert [one.rule for one in index.problems()] == ["refused-entry"]
