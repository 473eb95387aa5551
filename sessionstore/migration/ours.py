"""Which ``sessions.json`` this library wrote itself: such a one is a copy, never a source.

The mirror notes what it wrote in ``<sidecar>/mirror.json`` (``mirrorfile``), a rollback in
``<sidecar>/runs/rollback.json`` (``sha256``); both are hex SHA-256 of the whole file.
"""

from __future__ import annotations

from typing import Any

from ..entries import NotAnEntryError, decode
from ..files import read_file
from ..mirrorfile import read_mirror
from ..paths import StorePaths

RUNS_NAME = "runs"
ROLLBACK_NAME = "rollback.json"


def own_digests(paths: StorePaths) -> frozenset[str]:
    """SHA-256 digests of every ``sessions.json`` that mirror or rollback wrote for this store.

    Reads two small files. A damaged one gives none: the file is then read as anybody's, and its
    entries lose or win by their age like all others.

    Raises:
        StoreIOError, UnsafeFileError: a note is there and cannot be read.
    """
    return frozenset([*read_mirror(paths).digests, *_rollback_digest(paths)])


def _rollback_digest(paths: StorePaths) -> list[str]:
    try:
        note: dict[str, Any] = decode(read_file(paths.sidecar / RUNS_NAME / ROLLBACK_NAME))
    except (FileNotFoundError, NotAnEntryError):
        return []
    digest = note.get("sha256")
    return [digest] if isinstance(digest, str) else []
