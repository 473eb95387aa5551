"""Writing the demo's files: fast, whole, and through the same file functions as the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import files
from ..entries import Entry, encode
from ..entryfiles import wrap
from ..keys import SIDE_AREA, locate
from ..locks.staging import Staging
from ..paths import StorePaths
from ..store import open_store


def write_file(path: Path, data: bytes) -> None:
    """Create one new file, and its directory where there is none.

    Raises:
        FileExistsError: there is one.
    """
    write_files(path.parent, {path.name: data})


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Create new files of one directory, and it where there is none.

    Raises:
        FileExistsError: there is one of that name.
    """
    files.ensure_directory(folder)
    fd = files.open_directory(folder)
    try:
        for name, data in contents.items():
            files.write_new(name, data, dir_fd=fd)
    finally:
        files.close_directory(fd)


def write_json(path: Path, value: Any) -> None:
    """Create one new JSON file, indented as OpenClaw does."""
    write_file(path, json.dumps(value, indent=2, ensure_ascii=False).encode())


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Create one new file of JSON lines."""
    rows = [json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines]
    write_file(path, ("\n".join(rows) + "\n").encode())


def fill(paths: StorePaths, sessions: Iterable[tuple[str, Entry]]) -> int:
    """Put many sessions into a store in the directory layout; returns how many.

    An order of magnitude faster than ``Store.put``, because it takes no locks: only for stores
    that nobody else uses yet. Existing sessions of these keys are replaced.
    """
    with open_store(paths.store_path, report=False) as store:
        first = True
        staging = Staging(paths.sidecar)
        fd = -1
        count = 0
        try:
            for key, entry in sessions:
                if first:
                    store.put(key, entry)  # makes the directory and its marker
                    files.ensure_directory(paths.directory / SIDE_AREA)
                    fd = files.open_directory(paths.directory)
                    first = False
                else:
                    place = locate(key)
                    data = encode(entry)
                    if "/" in place.file_name:
                        data = wrap(place.key, data, max_bytes=files.DEFAULT_MAX_BYTES)
                    staging.put(data, place.file_name, to_fd=fd)
                count += 1
        finally:
            if fd >= 0:
                files.close_directory(fd)
            staging.close()
    return count
