"""What the store is measured against. Each rival does the same read-merge-write of one session.

Rivals are given the benefit of the doubt: they encode with orjson where their original has no
codec of its own, keep descriptors and connections open, and wait in the kernel where the
original polls, unless polling is the point (``FileLock``).
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import diskcache
import filelock
import lmdb
import orjson

from sessionstore import Store, open_store
from sessionstore.files import Durability
from sessionstore.recorder import Recorder

from .material import Entry, fields_of

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
Entries = Iterable[tuple[str, Entry]]


class Rival(Protocol):
    """A store of sessions. Opened by its class on a directory; filled once."""

    def fill(self, entries: Entries) -> None:
        """Store the entries in a new directory."""

    def patch(self, key: str, fields: Entry) -> None:
        """Merge fields into one session and store it."""

    def close(self) -> None:
        """Let go of everything that is open."""


Open = Callable[[Path], Rival]


def _name(key: str) -> str:
    return key.replace(":", "%3A") + ".json"


def _open_directory(path: Path) -> int:
    path.mkdir(exist_ok=True)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _encode(entry: Any) -> bytes:
    return orjson.dumps(entry, option=orjson.OPT_INDENT_2)


class Ours:
    """sessionstore, through its public calls."""

    def __init__(
        self,
        directory: Path,
        *,
        recorder: Recorder | None = None,
        durability: Durability = "none",
    ) -> None:
        self.store: Store = open_store(
            directory / "sessions.json", recorder=recorder, durability=durability, timeout=60
        )

    def fill(self, entries: Entries) -> None:
        for key, entry in entries:
            self.store.put(key, entry)

    def patch(self, key: str, fields: Entry) -> None:
        self.store.patch(key, fields, return_entry=False)

    def update(self, key: str, fields: Entry) -> None:
        """The same change through ``update``, which parses and returns the whole entry."""
        self.store.update(key, lambda entry: {**(entry or {}), **fields})

    def close(self) -> None:
        self.store.close()


class RawReplace:
    """One atomic replace of a file by bytes that are ready: open, write, close, rename.

    The physical limit of any store that replaces files. No lock, no read, no merge.
    """

    sync = ""
    stages = False

    def __init__(self, directory: Path) -> None:
        self._path = directory / "raw"
        self._fd = _open_directory(self._path)
        self._staging_fd = _open_directory(directory / "tmp") if self.stages else self._fd
        self._payload = b""
        self._temporary = f".{os.getpid()}"

    def fill(self, entries: Entries) -> None:
        for key, entry in entries:
            self._payload = self._payload or _encode(entry)
            (self._path / _name(key)).write_bytes(self._payload)

    def patch(self, key: str, fields: Entry) -> None:
        payload = self._payload or self._load_payload(key)
        name, fd = self._temporary, self._staging_fd
        file = os.open(name, CREATE, 0o600, dir_fd=fd)
        os.write(file, payload)
        if self.sync == "relaxed":
            os.fdatasync(file)
        elif self.sync == "strict":
            os.fsync(file)
        os.close(file)
        os.rename(name, _name(key), src_dir_fd=fd, dst_dir_fd=self._fd)
        if self.sync == "strict":
            os.fsync(self._fd)

    def _load_payload(self, key: str) -> bytes:
        self._payload = (self._path / _name(key)).read_bytes()
        return self._payload

    def close(self) -> None:
        if self.stages:
            os.close(self._staging_fd)
        os.close(self._fd)


class RawRelaxed(RawReplace):
    """The same with fdatasync before the rename."""

    sync = "relaxed"


class RawStrict(RawReplace):
    """The same with fsync of the file and of the directory."""

    sync = "strict"


class StagedRelaxed(RawRelaxed):
    """With fdatasync, and the temporary file in a folder of its own, where ours is too.

    A sync also writes the folder the file was made in, so that folder is part of "the same".
    """

    stages = True


class StagedStrict(RawStrict):
    """With both fsyncs, and the temporary file in a folder of its own."""

    stages = True


class NaiveDirectory:
    """One file per session the usual way: ``FileLock``, ``json``, ``tempfile``, ``os.replace``."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "naive"
        self._path.mkdir(exist_ok=True)

    def fill(self, entries: Entries) -> None:
        for key, entry in entries:
            (self._path / _name(key)).write_text(json.dumps(entry, indent=2))

    def patch(self, key: str, fields: Entry) -> None:
        path = self._path / _name(key)
        with filelock.FileLock(f"{path}.lock"):
            with open(path, encoding="utf-8") as file:
                entry = json.load(file)
            entry.update(fields)
            handle, temporary = tempfile.mkstemp(dir=self._path)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(entry, file, indent=2)
            os.replace(temporary, path)

    def close(self) -> None:
        """Nothing stays open."""


class _Locked:
    """A store-wide lock that waits in the kernel: kinder than the polling of the originals."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._fd)


def _replace(path: Path, data: bytes) -> None:
    temporary = f"{path}.{os.getpid()}.tmp"
    fd = os.open(temporary, CREATE, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)
    os.replace(temporary, path)


class WholeFile:
    """One file for all sessions, as gateways keep it: read, parse, change, write, rename."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "whole.json"
        self._lock = _Locked(directory / "whole.lock")

    @staticmethod
    def decode(data: bytes) -> Any:
        return orjson.loads(data)

    @staticmethod
    def encode(entries: Any) -> bytes:
        return _encode(entries)

    def fill(self, entries: Entries) -> None:
        _replace(self._path, self.encode(dict(entries)))

    def patch(self, key: str, fields: Entry) -> None:
        with self._lock:
            entries = self.decode(self._path.read_bytes())
            entries[key].update(fields)
            _replace(self._path, self.encode(entries))

    def close(self) -> None:
        self._lock.close()


class WholeFileStdlib(WholeFile):
    """The same with the standard library's ``json``."""

    @staticmethod
    def decode(data: bytes) -> Any:
        return json.loads(data)

    @staticmethod
    def encode(entries: Any) -> bytes:
        return json.dumps(entries, indent=2).encode()


class WholeDirectory:
    """The algorithm of OpenClaw's pull request 42186: ``sessions.d`` behind one store-wide lock.

    Each update reads every file, clones everything, changes one entry, and compares all of them
    with the clone to find what to write. The clone is an orjson round trip, which is quicker
    than ``copy.deepcopy``.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "whole.d"
        self._path.mkdir(exist_ok=True)
        self._lock = _Locked(directory / "whole.d.lock")

    def fill(self, entries: Entries) -> None:
        for key, entry in entries:
            (self._path / _name(key)).write_bytes(_encode(entry))

    def patch(self, key: str, fields: Entry) -> None:
        with self._lock:
            seen = self._load()
            working = orjson.loads(orjson.dumps(seen))
            working[_name(key)].update(fields)
            for name, entry in working.items():
                if orjson.dumps(entry) != orjson.dumps(seen.get(name)):
                    _replace(self._path / name, _encode(entry))

    def _load(self) -> dict[str, Entry]:
        loaded = {}
        for name in os.listdir(self._path):
            if name.endswith(".json"):
                loaded[name] = orjson.loads((self._path / name).read_bytes())
        return loaded

    def close(self) -> None:
        self._lock.close()


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


OURS = "sessionstore"
RAW = "raw replace"
RIVALS: dict[str, Open] = {
    OURS: Ours,
    RAW: RawReplace,
    "FileLock directory": NaiveDirectory,
    "whole file (orjson)": WholeFile,
    "whole file (json)": WholeFileStdlib,
    "PR 42186": WholeDirectory,
    "SQLite WAL": Sqlite,
    "diskcache": DiskCache,
    "LMDB (nosync)": Lmdb,
}
SLOW = frozenset(["whole file (orjson)", "whole file (json)", "PR 42186"])
"""These read or write everything on each update."""


def filled(opening: Open, directory: Path, entries: Entries) -> Rival:
    """A new rival below ``directory`` with these entries."""
    directory.mkdir(parents=True, exist_ok=True)
    rival = opening(directory)
    rival.fill(entries)
    return rival


def patching(rival: Rival, keys: list[str]) -> Callable[[int], None]:
    """An operation for ``interleave``: the next key each time, other values each turn."""
    order = itertools.cycle(keys)
    patch = rival.patch

    def run(turn: int) -> None:
        patch(next(order), fields_of(turn))

    return run
