"""Which ``sessions.json`` this library wrote itself: such a one is a copy, never a source.

The mirror notes what it wrote in ``<sidecar>/mirror.json`` (``digests``), a rollback in
``<sidecar>/runs/rollback.json`` (``sha256``); both are hex SHA-256 of the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..entries import NotAnEntryError, decode
from ..errors import UnsafeFileError
from ..files import read_file
from ..paths import StorePaths

MIRROR_NAME = "mirror.json"
RUNS_NAME = "runs"
ROLLBACK_NAME = "rollback.json"


def own_digests(paths: StorePaths) -> frozenset[str]:
    """SHA-256 digests of every ``sessions.json`` that mirror or rollback wrote for this store.

    Reads two small files. A damaged one gives none: the file is then read as anybody's, and its
    entries lose or win by their age like all others.

    Raises:
        StoreIOError: a file is there and cannot be read.
    """
    mirror = _read(paths.sidecar / MIRROR_NAME)
    rollback = _read(paths.sidecar / RUNS_NAME / ROLLBACK_NAME)
    return frozenset([*_texts(mirror.get("digests")), *_texts([rollback.get("sha256")])])


def mirror_is_on(paths: StorePaths) -> bool:
    """Whether ``sessions.json`` is to be a copy; then a foreign change to it is never imported.

    Raises:
        StoreIOError: the note is there and cannot be read.
    """
    return _read(paths.sidecar / MIRROR_NAME).get("enabled") is True


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        yield from (one for one in value if isinstance(one, str))


def _read(path: Path) -> dict[str, Any]:
    try:
        return decode(read_file(path))
    except (FileNotFoundError, NotAnEntryError, UnsafeFileError):
        return {}
