"""What each run took over, by key and etag: what was deleted since is not taken again.

``<sidecar>/runs/<run>.taken.json`` holds ``{"taken": {key: etag}}``. The marker's ``imports``
name the runs that count (DESIGN §5, "deleted stay deleted").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ..entries import NotAnEntryError, decode, encode
from ..errors import UnsafeFileError
from ..files import close_directory, ensure_directory, open_directory, read_file
from ..locks.staging import Staging
from ..paths import StorePaths
from .ours import RUNS_NAME

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_MAX_BYTES: Final = 1 << 30


def imports_of(marker: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The well-formed ``imports`` of a marker, oldest first."""
    listed = (marker or {}).get("imports")
    rows = listed if isinstance(listed, list) else []
    return [row for row in rows if isinstance(row, dict) and _is_run_id(row.get("run"))]


def _is_run_id(value: object) -> bool:
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


def taken_name(run_id: str) -> str:
    """File name of a run's list below ``runs/``.

    Raises:
        ValueError: the id could not be a file name.
    """
    if not _is_run_id(run_id):
        raise ValueError(f"{run_id[:80]!r} is no run id")
    return f"{run_id}.taken.json"


def read_taken(paths: StorePaths, marker: Mapping[str, Any] | None) -> dict[str, str]:
    """Etag that each key had when it was last taken over, by the runs that ``marker`` lists.

    A run whose list is missing or damaged counts as having taken nothing, so that a session may
    come back rather than be left out. Cost: one file per run.

    Raises:
        StoreIOError: a list is there and cannot be read.
    """
    taken: dict[str, str] = {}
    for row in imports_of(marker):
        taken.update(_read_one(paths, taken_name(row["run"])))
    return taken


def _read_one(paths: StorePaths, name: str) -> dict[str, str]:
    try:
        listed = decode(read_file(paths.sidecar / RUNS_NAME / name, max_bytes=_MAX_BYTES))
    except (FileNotFoundError, NotAnEntryError, UnsafeFileError):
        return {}
    taken = listed.get("taken")
    rows = taken.items() if isinstance(taken, dict) else ()
    return {key: etag for key, etag in rows if isinstance(etag, str)}


def write_taken(staging: Staging, paths: StorePaths, run_id: str, taken: Mapping[str, str]) -> None:
    """Write a run's list, durably, before its marker names it.

    Raises:
        ValueError: no run id.
        OSError: nothing was written.
    """
    name = taken_name(run_id)
    ensure_directory(paths.sidecar / RUNS_NAME)
    fd = open_directory(paths.sidecar / RUNS_NAME)
    try:
        data = encode({"taken": dict(taken)})
        staging.put(data, name, to_fd=fd, durability="strict", created=True)
    finally:
        close_directory(fd)
