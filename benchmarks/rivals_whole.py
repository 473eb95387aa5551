"""Rivals that read or write every session on each update."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import orjson

from .material import Entry
from .rival import CREATE, Entries, encode_entry, file_name


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
        return encode_entry(entries)

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
            (self._path / file_name(key)).write_bytes(encode_entry(entry))

    def patch(self, key: str, fields: Entry) -> None:
        with self._lock:
            seen = self._load()
            working = orjson.loads(orjson.dumps(seen))
            working[file_name(key)].update(fields)
            for name, entry in working.items():
                if orjson.dumps(entry) != orjson.dumps(seen.get(name)):
                    _replace(self._path / name, encode_entry(entry))

    def _load(self) -> dict[str, Entry]:
        loaded = {}
        for name in os.listdir(self._path):
            if name.endswith(".json"):
                loaded[name] = orjson.loads((self._path / name).read_bytes())
        return loaded

    def close(self) -> None:
        self._lock.close()
