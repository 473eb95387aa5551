"""Databases as OpenClaw makes them, of each known form, and the samples that it made itself."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "samples"
Entry = dict[str, Any]

NODES = """
CREATE TABLE session_nodes (
  session_key TEXT NOT NULL PRIMARY KEY, current_session_id TEXT NOT NULL,
  entry_json TEXT NOT NULL,
  entry_valid INTEGER NOT NULL DEFAULT 0 CHECK (entry_valid IN (-1, 0, 1)),
  updated_at INTEGER NOT NULL, archived_at INTEGER
) STRICT;
CREATE TABLE session_windows (
  session_id TEXT NOT NULL PRIMARY KEY, session_key TEXT NOT NULL, previous_session_id TEXT,
  reason TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, started_at INTEGER,
  ended_at INTEGER, status TEXT, display_name TEXT
) STRICT;
"""
ENTRIES = """
CREATE TABLE session_entries (
  session_key TEXT NOT NULL PRIMARY KEY, session_id TEXT NOT NULL, entry_json TEXT NOT NULL,
  updated_at INTEGER NOT NULL, status TEXT
);
"""


def sample(name: str, target: Path) -> Path:
    """A writable copy of a sample's state directory, its databases unpacked."""
    if not (SAMPLES / name).is_dir():
        pytest.skip(f"no sample {name} in {SAMPLES}")
    state = target / name
    shutil.copytree(SAMPLES / name, state)
    for path in [state, *state.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    for packed in state.rglob("*.sqlite.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    return state


def sample_entries(name: str, agent: str) -> dict[str, Entry]:
    """What the program itself reads from a sample."""
    lines = (SAMPLES / name / f"entries-{agent}.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["key"]: row["entry"] for row in rows}


def store_file(state: Path, agent: str = "main") -> Path:
    return state / "agents" / agent / "sessions" / "sessions.json"


def database_file(state: Path, agent: str = "main") -> Path:
    return state / "agents" / agent / "agent" / "openclaw-agent.sqlite"


def make(path: Path, entries: Mapping[str, Entry] | None = None, *, version: int = 23) -> Path:
    """A database of a form, in WAL mode and closed cleanly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(ENTRIES if version == 4 else NODES)
        database.execute(f"PRAGMA user_version = {version}")
        for key, entry in (entries or {}).items():
            put(database, key, entry, version=version)
    path.chmod(0o600)
    return path


def put(
    database: sqlite3.Connection, key: object, entry: object, *, version: int = 23, at_ms: int = 1
) -> None:
    """One row; ``entry`` may be text that is no entry."""
    text = entry if isinstance(entry, str | bytes) else json.dumps(entry)
    table, named = (
        ("session_entries", "session_id")
        if version == 4
        else ("session_nodes", "current_session_id")
    )
    updated = entry.get("updatedAt", at_ms) if isinstance(entry, dict) else at_ms
    database.execute(
        f"INSERT OR REPLACE INTO {table} (session_key, {named}, entry_json, updated_at) "
        "VALUES (?, 'id', ?, ?)",
        (key, text, updated),
    )
