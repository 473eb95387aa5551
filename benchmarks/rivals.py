"""What the store is measured against. Each rival does the same read-merge-write of one session.

Rivals are given the benefit of the doubt: they encode with orjson where their original has no
codec of its own, keep descriptors and connections open, and wait in the kernel where the
original polls, unless polling is the point (``FileLock``).
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import filelock

from sessionstore import Store, open_store
from sessionstore.files import Durability
from sessionstore.recorder import Recorder

from .material import Entry, fields_of
from .rival import CREATE, Entries, Open, Rival, encode_entry, file_name, open_directory
from .rivals_databases import DiskCache, Lmdb, Sqlite
from .rivals_whole import WholeDirectory, WholeFile, WholeFileStdlib


class Ours:
    """sessionstore, through its public calls."""

    def __init__(
        self,
        directory: Path,
        *,
        recorder: Recorder | None = None,
        report: bool = True,
        durability: Durability = "none",
    ) -> None:
        self.store: Store = open_store(
            directory / "sessions.json",
            recorder=recorder,
            report=report,
            durability=durability,
            timeout=60,
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
        self._fd = open_directory(self._path)
        self._staging_fd = open_directory(directory / "tmp") if self.stages else self._fd
        self._payload = b""
        self._temporary = f".{os.getpid()}"

    def fill(self, entries: Entries) -> None:
        for key, entry in entries:
            self._payload = self._payload or encode_entry(entry)
            (self._path / file_name(key)).write_bytes(self._payload)

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
        os.rename(name, file_name(key), src_dir_fd=fd, dst_dir_fd=self._fd)
        if self.sync == "strict":
            os.fsync(self._fd)

    def _load_payload(self, key: str) -> bytes:
        self._payload = (self._path / file_name(key)).read_bytes()
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
            (self._path / file_name(key)).write_text(json.dumps(entry, indent=2))

    def patch(self, key: str, fields: Entry) -> None:
        path = self._path / file_name(key)
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
