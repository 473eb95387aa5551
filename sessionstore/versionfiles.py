"""The files that versions are kept in: their names, reading them, removing old ones.

``versions/<32 hex of the key's sha256>/<epoch ms>-<8 hex>.json`` below the store's own folder,
``.begun.json`` until the change is made. ``kept`` writes them.
"""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .entries import Entry, decode, normalise
from .errors import CorruptStoreError, SessionStoreError, StoreIOError, UnsafeFileError
from .files import (
    close_directory,
    ensure_directory,
    list_names,
    open_directory,
    read_file,
    remove_file,
    status_of,
    sync_directory,
)
from .paths import StorePaths

KEPT_PER_SESSION = 50
KEPT_FOR_S = 90 * 86_400

_NAME = re.compile(r"([0-9]{13,15})-([0-9a-f]{8})(\.begun)?\.json")
_ID = re.compile(r"([0-9a-f]{32})-([0-9]{13,15}-[0-9a-f]{8})")
_FOLDER = re.compile(r"[0-9a-f]{32}")
_BEGUN, _DONE = ".begun.json", ".json"
# As a whole sessions.json: a row of one may be much larger than a session's own file.
_LARGEST = 1 << 30
# What a file that is no version makes of reading it as one; NotAnEntryError is a ValueError.
_DAMAGES = (AttributeError, KeyError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class Version:
    """What one change replaced: ``entry`` is None where the change created the session.

    ``changed`` names the fields that the change touched and ``written`` holds what it wrote
    there; one that it removed is only in ``changed``. ``removed``: it deleted the session.
    ``note`` is whatever the caller of the change added. ``at_ms`` in epoch milliseconds.
    ``begun``: it is not certain that the change was made, since its process may have died first.
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
    begun: bool = False


def folder_of(paths: StorePaths, key: str) -> Path:
    """Where the versions of a session are."""
    return paths.sidecar / "versions" / _digest(key)[:32]


def version_ids(paths: StorePaths, key: str) -> list[str]:
    """Ids of a session's versions, newest first. Lists one folder and opens nothing."""
    return _ids_in(folder_of(paths, key))


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
    for path in _places(paths, version_id):
        if (version := _read(path)) is not None:
            return version
    return None


def keys_with_versions(paths: StorePaths, start: str) -> list[str]:
    """Keys that have versions, of those whose SHA-256 in hex begins with ``start``.

    Finds sessions that are gone. Lists one folder, and opens a file or two for each such key.
    """
    folders = (path for path in folders_of(paths) if path.name.startswith(start[:32]))
    keys = (_key_of(paths, folder) for folder in folders)
    return [key for key in keys if key is not None and _digest(key).startswith(start)]


def file_names(fd: int, folder: Path) -> list[str]:
    """Names of the versions in an open folder, oldest first."""
    names = list_names(fd, shown=folder)
    found = (match for name in names if (match := _NAME.fullmatch(name)))
    return [match[0] for match in sorted(found, key=lambda match: (int(match[1]), match[2]))]


def surplus(names: list[str], *, keep_count: int, older_than_ms: int) -> list[str]:
    """Those of :func:`file_names` that are too old or too many."""
    too_many = len(names) - max(0, keep_count)
    return [n for at, n in enumerate(names) if at < too_many or number_of(n) < older_than_ms]


def number_of(name: str) -> int:
    """The time in the name of a version, in epoch milliseconds."""
    return int(name.partition("-")[0])


def remove_one(fd: int, name: str) -> bool:
    """Remove a version from its open folder; False when there is none of this name."""
    try:
        return remove_file(name, dir_fd=fd)
    except StoreIOError as error:
        if error.errno in (errno.EISDIR, errno.EPERM):
            return False  # somebody made a directory of this name, which is not ours to remove
        raise


def begun_name(version_id: str) -> str:
    """The name of a version's file while the change is under way."""
    return version_id.partition("-")[2] + _BEGUN


def done_name(version_id: str) -> str:
    """The name of a version's file once the change is made."""
    return version_id.partition("-")[2] + _DONE


def open_folder(paths: StorePaths, key: str) -> int:
    """Open the folder of a session's versions, made where it is missing, to be closed."""
    folder = folder_of(paths, key)
    is_new = status_of(folder) is None
    ensure_directory(folder)
    if is_new:
        # Or a power cut could take the folder away, with a version in it that is on disk.
        sync_directory(folder.parent)
        sync_directory(paths.sidecar)
    return open_directory(folder)


def folders_of(paths: StorePaths) -> list[Path]:
    """The folders of all sessions that have versions. Lists one folder."""
    root = paths.sidecar / "versions"
    try:
        return [root / name for name in list_names(root) if _FOLDER.fullmatch(name)]
    except FileNotFoundError:
        return []


def _places(paths: StorePaths, version_id: str) -> Iterator[Path]:
    """Where a version may be; the first again, since it may be renamed while one looks."""
    parts = _ID.fullmatch(version_id)
    if parts is not None:
        for ending in (_DONE, _BEGUN, _DONE):
            yield paths.sidecar / "versions" / parts[1] / f"{parts[2]}{ending}"


def _read(path: Path) -> Version | None:
    data = _bytes_of(path)
    if data is None:
        return None
    try:
        return _from_json(path, decode(data))
    except _DAMAGES as error:
        raise CorruptStoreError(
            f"the version {path} is damaged", path=path, hint="move the file away"
        ) from error


def _bytes_of(path: Path) -> bytes | None:
    try:
        fd = open_directory(path.parent)
    except FileNotFoundError:
        return None
    try:
        return read_file(path.name, dir_fd=fd, max_bytes=_LARGEST)
    except FileNotFoundError:
        return None
    except SessionStoreError as error:
        error.message = error.message.replace(path.name, str(path), 1)
        error.path = str(path)
        raise
    finally:
        close_directory(fd)


def _from_json(path: Path, body: Entry) -> Version:
    entry, note = body["entry"], body.get("note", {})
    return Version(
        id=f"{path.parent.name}-{_stem(path.name)}",
        key=str(body["sessionKey"]),
        at_ms=int(body["at"]),
        reason=str(body["reason"]),
        entry=None if entry is None else normalise(decode(entry.encode())),
        by=str(body.get("by", "")),
        action=str(body.get("action", "")),
        changed=tuple(str(name) for name in body["changed"]),
        written=decode(body["written"].encode()),
        removed=body.get("removed") is True,
        note=note if isinstance(note, dict) else {},
        begun=path.name.endswith(_BEGUN),
    )


def _key_of(paths: StorePaths, folder: Path) -> str | None:
    """The key whose versions these are: what the newest that can be read says."""
    try:
        ids = _ids_in(folder)
    except UnsafeFileError:
        return None  # a link or a file, which is nothing of ours
    for version_id in ids:
        try:
            version = read_version(paths, version_id)
        except SessionStoreError:
            continue  # another one says it too
        if version is not None:
            return version.key
    return None


def _ids_in(folder: Path) -> list[str]:
    """Newest first, each once: a file may be renamed while one looks."""
    try:
        fd = open_directory(folder)
    except FileNotFoundError:
        return []
    try:
        names = file_names(fd, folder)
    finally:
        close_directory(fd)
    return list(dict.fromkeys(f"{folder.name}-{_stem(name)}" for name in reversed(names)))


def _stem(name: str) -> str:
    return name.partition(".")[0]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
