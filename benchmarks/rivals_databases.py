"""Rivals that are databases."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import diskcache
import lmdb
import orjson

from .material import Entry
from .rival import Entries


class Sqlite:
    """One table in SQLite: WAL, ``synchronous=NORMAL``, ``BEGIN IMMEDIATE``."""

    def __init__(self, directory: Path) -> None:
        self._db = sqlite3.connect(directory / "sessions.db", timeout=60, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")

    def fill(self, entries: Entries) -> None:
        self._db.execute("CREATE TABLE sessions (key TEXT PRIMARY KEY, entry BLOB) WITHOUT ROWID")
        self._db.execute("BEGIN")
        rows = ((key, orjson.dumps(entry)) for key, entry in entries)
        self._db.executemany("INSERT INTO sessions VALUES (?, ?)", rows)
        self._db.execute("COMMIT")

    def patch(self, key: str, fields: Entry) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        row = self._db.execute("SELECT entry FROM sessions WHERE key = ?", (key,)).fetchone()
        entry = orjson.loads(row[0])
        entry.update(fields)
        changed = (orjson.dumps(entry), key)
        self._db.execute("UPDATE sessions SET entry = ? WHERE key = ?", changed)
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


class DiskCache:
    """diskcache (SQLite plus files for large values), eviction off."""

    def __init__(self, directory: Path) -> None:
        self._cache = diskcache.Cache(
            str(directory / "diskcache"), eviction_policy="none", size_limit=1 << 40, timeout=60
        )

    def fill(self, entries: Entries) -> None:
        with self._cache.transact():
            for key, entry in entries:
                self._cache.set(key, orjson.dumps(entry))

    def patch(self, key: str, fields: Entry) -> None:
        with self._cache.transact(retry=True):
            entry = orjson.loads(self._cache[key])
            entry.update(fields)
            self._cache.set(key, orjson.dumps(entry))

    def close(self) -> None:
        self._cache.close()


class Lmdb:
    """LMDB without syncs, which is its counterpart of our default durability."""

    def __init__(self, directory: Path) -> None:
        self._db = lmdb.open(
            str(directory / "lmdb"), map_size=4 << 30, sync=False, metasync=False, max_spare_txns=4
        )

    def fill(self, entries: Entries) -> None:
        with self._db.begin(write=True) as transaction:
            for key, entry in entries:
                transaction.put(key.encode(), orjson.dumps(entry))

    def patch(self, key: str, fields: Entry) -> None:
        name = key.encode()
        with self._db.begin(write=True) as transaction:
            entry = orjson.loads(transaction.get(name) or b"{}")
            entry.update(fields)
            transaction.put(name, orjson.dumps(entry))

    def close(self) -> None:
        self._db.close()
