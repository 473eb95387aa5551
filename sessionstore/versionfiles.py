"""The files that versions are kept in: their names, reading them, removing old ones.

``versions/<32 hex of the key's sha256>/<epoch ms>-<8 hex>.json`` below the store's own folder.
``kept`` writes them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .entries import Entry, NotAnEntryError, decode
from .errors import CorruptStoreError, SessionStoreError
from .files import (
    DEFAULT_MAX_BYTES,
    close_directory,
    ensure_directory,
    list_names,
    open_directory,
    read_file,
    remove_file,
    status_of,
    sync_descriptor,
)
from .paths import StorePaths

KEPT_PER_SESSION = 50
KEPT_FOR_S = 90 * 86_400

_NAME = re.compile(r"(\d{13,15})-([0-9a-f]{8})\.json")
_ID = re.compile(r"([0-9a-f]{32})-(\d{13,15}-[0-9a-f]{8})")
# The entry before, the changed values after, and the note: each at most one entry's size.
_LARGEST = 3 * DEFAULT_MAX_BYTES


@dataclass(frozen=True, slots=True)
class Version:
    """What one change replaced: ``entry`` is None where the change created the session.

    ``changed`` names the fields that the change touched and ``written`` holds what it wrote
    there; one that it removed is only in ``changed``. ``removed``: it deleted the session.
    ``note`` is whatever the caller of the change added. ``at_ms`` in epoch milliseconds.
    """

    id: str
    key: str
    at_ms: int
    reason: str
    entry: Entry | None
    by: str = ""
    action: str = ""
    changed: tuple[str, ...] = ()
    written: Mapping[str, Any] = field(default_factory=dict)
    removed: bool = False
    note: Mapping[str, Any] = field(default_factory=dict)


def folder_of(paths: StorePaths, key: str) -> Path:
    """Where the versions of a session are."""
    return paths.sidecar / "versions" / _digest(key)[:32]


def version_ids(paths: StorePaths, key: str) -> list[str]:
    """Ids of a session's versions, newest first. Lists one folder and opens nothing."""
    folder = folder_of(paths, key)
    return [f"{folder.name}-{name.removesuffix('.json')}" for name in _names(folder)]


def read_versions(paths: StorePaths, key: str) -> list[Version]:
    """All versions of a session, newest first. Opens one file per version.

    Raises:
        CorruptStoreError: one of the files is damaged; the session itself is not concerned.
    """
    found = (read_version(paths, version_id) for version_id in version_ids(paths, key))
    return [version for version in found if version is not None and version.key == key]


def read_version(paths: StorePaths, version_id: str) -> Version | None:
    """One version by its id; None when it has been pruned or never was. Opens one file.

    Raises:
        CorruptStoreError: the file is damaged.
    """
    path = _path(paths, version_id)
    return None if path is None else _read(path)


def is_kept(paths: StorePaths, version_id: str) -> bool:
    """Whether a version is still there. Looks at one name and opens nothing."""
    path = _path(paths, version_id)
    return path is not None and status_of(path) is not None


def keys_with_versions(paths: StorePaths, start: str) -> list[str]:
    """Keys that have versions, of those whose SHA-256 in hex begins with ``start``.

    Finds sessions that are gone. Lists one folder, and opens a file or two for each such key.
    """
    root = paths.sidecar / "versions"
    try:
        folders = [name for name in list_names(root) if name.startswith(start[:32])]
    except FileNotFoundError:
        return []
    keys = (_key_of(root / name) for name in folders)
    return [key for key in keys if key is not None and _digest(key).startswith(start)]


def sweep(
    paths: StorePaths,
    *,
    now_ms: int,
    keep_count: int = KEPT_PER_SESSION,
    keep_for_s: float = KEPT_FOR_S,
) -> int:
    """Remove versions that are too old or too many; returns how many. Lists every folder."""
    root = paths.sidecar / "versions"
    try:
        folders = list_names(root)
    except FileNotFoundError:
        return 0
    older_than_ms = now_ms - int(keep_for_s * 1000)
    removed = 0
    for name in folders:
        fd = open_directory(root / name)
        try:
            gone = prune(fd, keep_count=keep_count, older_than_ms=older_than_ms)
            if gone:
                sync_descriptor(fd, root / name)
            removed += gone
        finally:
            close_directory(fd)
    return removed


def prune(fd: int, *, keep_count: int, older_than_ms: int) -> int:
    """Remove versions from an open folder that are too old or too many; returns how many."""
    found = sorted((m for name in list_names(fd) if (m := _NAME.fullmatch(name))), key=_age)
    too_many = len(found) - max(0, keep_count)
    gone = [m[0] for at, m in enumerate(found) if at < too_many or int(m[1]) < older_than_ms]
    for name in gone:
        remove_file(name, dir_fd=fd)
    return len(gone)


def remove_version(paths: StorePaths, version_id: str) -> None:
    """Remove one version; one that is gone already is no error."""
    path = _path(paths, version_id)
    if path is not None:
        remove_file(path)


@contextmanager
def opened_folder(folder: Path) -> Iterator[int]:
    """A folder of versions, made where it is missing, synced after the work in it."""
    ensure_directory(folder)
    fd = open_directory(folder)
    try:
        yield fd
        sync_descriptor(fd, folder)
    finally:
        close_directory(fd)


def _read(path: Path) -> Version | None:
    try:
        body = decode(read_file(path, max_bytes=_LARGEST))
        return _from_json(path, body)
    except FileNotFoundError:
        return None
    except (NotAnEntryError, KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, SessionStoreError):
            raise
        raise CorruptStoreError(
            f"the version {path} is damaged", path=path, hint="move the file away"
        ) from error


def _from_json(path: Path, body: Entry) -> Version:
    entry, written, note = body["entry"], body["written"], body.get("note", {})
    if not (entry is None or isinstance(entry, dict)) or not isinstance(written, dict):
        raise TypeError("not a version")
    return Version(
        id=f"{path.parent.name}-{path.stem}",
        key=str(body["sessionKey"]),
        at_ms=int(body["at"]),
        reason=str(body["reason"]),
        entry=entry,
        by=str(body.get("by", "")),
        action=str(body.get("action", "")),
        changed=tuple(str(name) for name in body["changed"]),
        written=written,
        removed=body.get("removed") is True,
        note=note if isinstance(note, dict) else {},
    )


def _key_of(folder: Path) -> str | None:
    """The key whose versions these are: what the newest that can be read says."""
    for name in _names(folder):
        try:
            version = _read(folder / name)
        except SessionStoreError:
            continue  # another one says it too
        if version is not None:
            return version.key
    return None


def _names(folder: Path) -> list[str]:
    try:
        found = [match for name in list_names(folder) if (match := _NAME.fullmatch(name))]
    except FileNotFoundError:
        return []
    return [match[0] for match in sorted(found, key=_age, reverse=True)]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _path(paths: StorePaths, version_id: str) -> Path | None:
    parts = _ID.fullmatch(version_id)
    return None if parts is None else paths.sidecar / "versions" / parts[1] / f"{parts[2]}.json"


def _age(name: re.Match[str]) -> tuple[int, str]:
    return int(name[1]), name[2]
