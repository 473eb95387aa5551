"""Reading what a store can be recovered from, in whatever state it is. Nothing is changed."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from .. import entries
from ..adoption import scan_unadopted
from ..blobs import BlobError, Blobs, is_folded
from ..entries import Entry, NotAnEntryError
from ..errors import CorruptStoreError, InvalidKeyError, SessionStoreError
from ..files import list_names, read_file, status_of
from ..keys import check_key
from ..layout import Scanned, detect_layout
from ..legacyfile import MAX_STORE_BYTES, read_legacy_file
from ..opened import OpenDirectory
from ..paths import StorePaths
from ..versionfiles import folders_of, read_version
from .restore_runs import FOLDER
from .shapes import Candidate, CandidateKind

Found = dict[str, bytes]
"""The bytes of sound entries by key."""

_RUNS = ("runs", FOLDER)
_BACKUP_RUN = "backup-"  # links of files that are still there
_LOCK = ".lock"


def candidates_of(paths: StorePaths) -> Iterator[Candidate]:
    """Everything but backups. Cost: each of them is read once."""
    yield from _beside(paths)
    yield from _leftovers(paths)
    yield from _quarantined(paths)
    yield from _versions(paths)


def read_candidate(candidate: Candidate, paths: StorePaths) -> Found:
    """The sound entries that a candidate holds, all of it in memory.

    Raises:
        CorruptStoreError, UnsupportedStoreError, UnsafeFileError, StoreIOError: it cannot be read.
        FileNotFoundError: it is gone.
    """
    if candidate.kind == "version":
        version = read_version(paths, candidate.name)
        if version is None:
            raise FileNotFoundError(candidate.path)
        entry = version.entry
        return {} if entry is None else {version.key: entries.encode(entry)}
    if candidate.kind == "quarantine" and candidate.key is not None:
        return _one_entry(paths, candidate.path, candidate.key)
    status = status_of(candidate.path)
    if status is None:
        raise FileNotFoundError(candidate.path)
    if stat.S_ISDIR(status.st_mode):
        opened = OpenDirectory(replace(paths, directory=candidate.path))
        return _sound(scan_unadopted(opened, MAX_STORE_BYTES))
    return _sound(read_legacy_file(str(candidate.path)).scan())


def _sound(scan: Iterable[Scanned]) -> Found:
    return {
        found.key: found.data for found in scan if found.key is not None and found.entry is not None
    }


def _one_entry(paths: StorePaths, path: Path, key: str) -> Found:
    """A file that held one session: the bare entry, or key and entry as below ``x/``."""
    data = read_file(path, max_bytes=MAX_STORE_BYTES)
    entry = entries.decode(data)
    if entry.keys() == {"sessionKey", "entry"} and isinstance(entry["entry"], dict):
        data = entries.encode(entry["entry"])
    if is_folded(data):
        try:
            data = Blobs(paths.sidecar).expand(data, max_bytes=MAX_STORE_BYTES)[0]
        except BlobError as error:
            raise CorruptStoreError(
                f"{path} {error}", path=path, hint="its blob was collected or damaged"
            ) from error
    return {key: data}


# -- where they are ------------------------------------------------------------------------


def _beside(paths: StorePaths) -> Iterator[Candidate]:
    """``sessions.json.bak.<ms>``, temporary files of other programs, ``sessions.d.bak.<ms>``."""
    store, directory = paths.store_path.name, paths.directory.name
    home = paths.store_path.parent
    for name in _names(home):
        if name == store and detect_layout(paths) == "directory":
            note = f"stands beside {directory}, which is the store"
            yield _looked_at(paths, "file", name, home / name, note)
        elif name.startswith(f"{store}.") and _LOCK not in name:
            yield _looked_at(paths, "file", name, home / name, "a copy of the whole store")
        elif name.startswith(f"{directory}."):
            note = "a directory that was set aside"
            yield _looked_at(paths, "directory", name, home / name, note)


def _leftovers(paths: StorePaths) -> Iterator[Candidate]:
    for root in _RUNS:
        for run in _names(paths.sidecar / root):
            folder = paths.sidecar / root / run
            for name in () if run.startswith(_BACKUP_RUN) else _names(folder):
                if name.endswith((".d", ".json")):
                    note = "left by a migration or restore that was interrupted"
                    yield _looked_at(paths, "leftover", f"{root}/{run}/{name}", folder / name, note)


def _quarantined(paths: StorePaths) -> Iterator[Candidate]:
    folder = paths.sidecar / "quarantine"
    for name in _names(folder):
        if not name.endswith(".json"):
            continue
        note = _note(folder / name)
        file = folder / f"{name.removesuffix('.json')}.file"
        if status_of(file) is not None:
            key, at_ms = note.get("key"), note.get("at")
            yield _looked_at(
                paths,
                "quarantine",
                f"quarantine/{file.name}",
                file,
                f"set aside: {note.get('reason', 'for a reason that cannot be read')}",
                key=_key(key),
                at_ms=at_ms if isinstance(at_ms, int) else None,
            )


def _note(path: Path) -> Entry:
    try:
        return entries.decode(read_file(path))
    except (FileNotFoundError, NotAnEntryError, SessionStoreError):
        return {}


def _key(key: object) -> str | None:
    try:
        return None if key is None else check_key(key)
    except InvalidKeyError:
        return None


def _versions(paths: StorePaths) -> Iterator[Candidate]:
    """The newest version of each session that has an entry."""
    for folder in folders_of(paths):
        for version_id in _ids(paths, folder):
            try:
                version = read_version(paths, version_id)
            except SessionStoreError as error:
                yield _unreadable("version", version_id, folder, error.message)
                continue
            if version is None or version.entry is None:
                continue
            yield Candidate(
                kind="version",
                name=version.id,
                path=folder,
                sessions=1,
                newest_updated_at_ms=entries.updated_at_ms(version.entry),
                size_bytes=len(entries.encode(version.entry)),
                readable=True,
                note=f"what a change ({version.action or 'edit'}) replaced",
                key=version.key,
                at_ms=version.at_ms,
            )
            break


def _ids(paths: StorePaths, folder: Path) -> list[str]:
    """Ids of the versions in a folder, newest first."""
    try:
        names = [name for name in list_names(folder) if name.endswith(".json")]
    except (FileNotFoundError, SessionStoreError):
        return []
    stems = {name.partition(".")[0] for name in names}
    return [f"{folder.name}-{stem}" for stem in sorted(stems, reverse=True)]


def _names(folder: Path) -> list[str]:
    status = status_of(folder)
    if status is None or not stat.S_ISDIR(status.st_mode):
        return []
    try:
        return sorted(list_names(folder))
    except FileNotFoundError:
        return []


# -- what each would give ------------------------------------------------------------------


def _looked_at(
    paths: StorePaths,
    kind: CandidateKind,
    name: str,
    path: Path,
    note: str,
    *,
    key: str | None = None,
    at_ms: int | None = None,
) -> Candidate:
    status = status_of(path)
    at_ms = at_ms if at_ms is not None or status is None else status.st_mtime_ns // 1_000_000
    size = 0 if status is None else status.st_size
    blank = Candidate(kind, name, path, 0, None, size, True, note, key=key, at_ms=at_ms)
    try:
        found = read_candidate(blank, paths)
    except FileNotFoundError:
        return replace(blank, readable=False, note="it is gone by now")
    except (SessionStoreError, NotAnEntryError) as error:
        why = error.message if isinstance(error, SessionStoreError) else f"{name} {error}"
        return replace(blank, readable=False, note=why)
    return replace(
        blank,
        sessions=len(found),
        newest_updated_at_ms=newest(found),
        size_bytes=size if kind != "directory" else sum(map(len, found.values())),
    )


def _unreadable(kind: CandidateKind, name: str, path: Path, why: str) -> Candidate:
    return Candidate(kind, name, path, 0, None, 0, False, why)


def newest(found: Found) -> int | None:
    """The greatest ``updatedAt`` among entries, in epoch milliseconds."""
    times = (entries.updated_at_ms(entries.decode(data)) for data in found.values())
    return max((at for at in times if at is not None), default=None)
