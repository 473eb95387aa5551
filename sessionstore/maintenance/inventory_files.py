"""What lies beside a store's entries: one ``lstat`` per name, through no link, nothing opened.

Only transcripts that are too small to hold a conversation are read, 2 KiB of them at most.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import files
from ..entries import NotAnEntryError, decode
from ..errors import Finding, SessionStoreError, UnsafeFileError
from ..index.naming import printable
from ..keys import MARKER_NAME, SIDE_AREA
from ..locks.staging import is_in_use
from ..paths import StorePaths
from .file_kinds import BLOB_FOLDER, Named, classify, is_blob
from .shapes import FileFacts, FileKind, FolderFacts

SMALL_BYTES = 2048
"""A transcript of more has more than a header."""

STAGING, QUARANTINE = "tmp", "quarantine"

_CLAIMING_MS = 60_000
_MOST_DEPTH = 8
_PLAIN = ("transcript", "topic", "fork")


@dataclass(slots=True)
class Found:
    """What a look at the folders has found so far."""

    at_ms: int
    base: str = ""
    files: dict[str, FileFacts] = field(default_factory=dict)
    named: dict[str, Named] = field(default_factory=dict)
    folders: dict[str, FolderFacts] = field(default_factory=dict)
    odd: list[Finding] = field(default_factory=list)
    unreadable: list[Finding] = field(default_factory=list)

    def note_folder(self, shown: str, fd: int) -> None:
        """Note an open folder's mode and owner."""
        status = files.status_of(".", dir_fd=fd)
        if status is not None:
            mode = stat.S_IMODE(status.st_mode)
            self.folders[shown] = FolderFacts(printable(shown), mode, status.st_uid)

    def cannot(self, path: Path | str, error: SessionStoreError) -> None:
        """Note a folder or file that could not be looked at."""
        rule = "unsafe-file" if isinstance(error, UnsafeFileError) else "unreadable"
        where = self.odd if rule == "unsafe-file" else self.unreadable
        shown = printable(str(Path(self.base, path)))
        where.append(Finding(rule, "error", None, shown, printable(error.message), error.hint))


def look(paths: StorePaths, at_ms: int) -> Found:
    """Look at the store's folder, ``sessions.d``, our sidecar and the prompt texts.

    Never raises for what is in the way: that is in ``odd`` and ``unreadable``.
    """
    found = Found(at_ms, str(paths.store_path.parent))
    with _folder(found, paths.store_path.parent, "", named=True) as fd:
        if fd is not None:
            _store_folder(found, paths, fd)
    _sidecar(found, paths)
    return found


@contextmanager
def _folder(
    found: Found, path: Path | str, shown: str, *, dir_fd: int | None = None, named: bool = False
) -> Iterator[int | None]:
    """The open folder, noted; None when it is not there or cannot be looked at."""
    fd: int | None = None
    try:
        fd = files.open_directory(path, dir_fd=dir_fd, named=named)
        found.note_folder(shown, fd)
    except FileNotFoundError:
        pass
    except SessionStoreError as error:
        found.cannot(shown or path, error)
    try:
        yield fd
    finally:
        if fd is not None:
            files.close_directory(fd)


def _names(found: Found, fd: int, shown: str) -> list[str]:
    try:
        return files.list_names(fd, shown=shown or "the store's folder")
    except FileNotFoundError:
        return []
    except SessionStoreError as error:
        found.cannot(shown, error)
        return []


def _store_folder(found: Found, paths: StorePaths, fd: int) -> None:
    store_name, directory = paths.store_path.name, paths.directory.name
    for name in _names(found, fd, str(paths.store_path.parent)):
        if name == directory:
            _directory(found, name, fd)
        elif name == BLOB_FOLDER.partition("/")[0]:
            _blobs(found, fd)
        elif name != files.SIDECAR_ROOT:
            _beside(found, name, classify(name, store_name), fd)


def _beside(found: Found, name: str, named: Named, fd: int) -> None:
    facts = _facts(found, name, name, named.kind, fd)
    if facts is None:
        return
    found.named[name] = named
    content = ""
    if named.kind in _PLAIN and facts.size_bytes <= SMALL_BYTES:
        content = _content(found, name, facts.size_bytes, fd)
    found.files[name] = replace(
        facts,
        session_id=named.session_id,
        archived_at_ms=named.archived_at_ms,
        content=content,
    )


def _facts(
    found: Found, name: str, shown: str, kind: FileKind, dir_fd: int, *, folders: bool = True
) -> FileFacts | None:
    """Status of one name; a folder's is that of what is in it. None: gone, or no plain file."""
    try:
        status = files.status_of(name, dir_fd=dir_fd)
    except SessionStoreError as error:
        found.cannot(shown, error)
        return None
    if status is None:
        return None
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        if kind not in ("store-file", "entry"):  # the scan tells of those
            found.odd.append(_not_plain(found, shown, status.st_mode))
        return None
    if is_folder and (not folders or kind == "store-file"):
        return None
    size = _size_below(found, name, shown, dir_fd) if is_folder else status.st_size
    modified = status.st_mtime_ns // 1_000_000
    mode = stat.S_IMODE(status.st_mode)
    return FileFacts(
        printable(shown), kind, size, modified, mode, status.st_uid, is_folder=is_folder
    )


def _not_plain(found: Found, shown: str, mode: int) -> Finding:
    what = "a symbolic link" if stat.S_ISLNK(mode) else "a special file"
    return Finding(
        "odd-file",
        "warning",
        None,
        printable(str(Path(found.base, shown))),
        f"{printable(shown)} is {what}, which is neither followed nor opened",
        "look at what put it there, and put the real file in its place or move it away",
    )


def _size_below(found: Found, name: str, shown: str, dir_fd: int, depth: int = 0) -> int:
    """Bytes of the plain files below a folder."""
    total = 0
    if depth >= _MOST_DEPTH:
        return total
    try:
        fd = files.open_directory(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return total
    except SessionStoreError as error:
        found.cannot(shown, error)
        return total
    try:
        for inner in _names(found, fd, shown):
            status = files.status_of(inner, dir_fd=fd)
            if status is not None and stat.S_ISREG(status.st_mode):
                total += status.st_size
            elif status is not None and stat.S_ISDIR(status.st_mode):
                total += _size_below(found, inner, f"{shown}/{inner}", fd, depth + 1)
    except SessionStoreError as error:
        found.cannot(shown, error)
    finally:
        files.close_directory(fd)
    return total


def _content(found: Found, name: str, size: int, fd: int) -> str:
    if size == 0:
        return "empty"
    try:
        data = files.read_file(name, dir_fd=fd, max_bytes=2 * SMALL_BYTES)
        header, _, rest = data.partition(b"\n")
        is_header = decode(header).get("type") == "session"
    except (FileNotFoundError, UnsafeFileError, NotAnEntryError):
        return ""  # gone, grown, or no header: nothing to say of its size
    except SessionStoreError as error:
        found.cannot(name, error)
        return ""
    return "header-only" if is_header and not rest.strip() else ""


def _directory(found: Found, name: str, dir_fd: int) -> None:
    with _folder(found, name, name, dir_fd=dir_fd) as fd:
        if fd is None:
            return
        for inner in _names(found, fd, name):
            shown = f"{name}/{inner}"
            if inner == SIDE_AREA:
                _each(found, inner, shown, fd, lambda _: "entry")
            else:
                kind: FileKind = "marker" if inner == MARKER_NAME else _kind_in_directory(inner)
                _add(found, inner, shown, kind, fd)


def _kind_in_directory(name: str) -> FileKind:
    if name.endswith(".tmp"):
        return "store-temp"
    return "entry" if name.endswith(".json") else "other"


def _add(found: Found, name: str, shown: str, kind: FileKind, fd: int) -> None:
    facts = _facts(found, name, shown, kind, fd, folders=kind not in ("entry", "marker"))
    if facts is not None:
        found.files[shown] = facts


def _each(
    found: Found, name: str, shown: str, dir_fd: int, kind_of: Callable[[str], FileKind | None]
) -> None:
    """Look at every name of a folder; one without a kind is left out."""
    with _folder(found, name, shown, dir_fd=dir_fd) as fd:
        for inner in _names(found, fd, shown) if fd is not None else ():
            kind = kind_of(inner)
            if kind is not None and fd is not None:
                _add(found, inner, f"{shown}/{inner}", kind, fd)


def _blobs(found: Found, dir_fd: int) -> None:
    outer, _, inner = BLOB_FOLDER.partition("/")
    with _folder(found, outer, outer, dir_fd=dir_fd) as top:
        if top is None:
            return
        with _folder(found, inner, BLOB_FOLDER, dir_fd=top) as fd:
            for name in _names(found, fd, BLOB_FOLDER) if fd is not None else ():
                if len(name) == 2 and fd is not None:
                    _each(
                        found,
                        name,
                        f"{BLOB_FOLDER}/{name}",
                        fd,
                        lambda file: "blob" if is_blob(file) else "other",
                    )


def _sidecar(found: Found, paths: StorePaths) -> None:
    """Staging folders and quarantine; what else is ours keeps itself in order."""
    shown = f"{files.SIDECAR_ROOT}/{paths.sidecar.name}"
    with _below(found, paths, STAGING, f"{shown}/{STAGING}") as fd:
        for name in _names(found, fd, f"{shown}/{STAGING}") if fd is not None else ():
            if fd is not None:
                _staging(found, name, f"{shown}/{STAGING}/{name}", fd)
    with _below(found, paths, QUARANTINE, f"{shown}/{QUARANTINE}") as fd:
        for name in _names(found, fd, f"{shown}/{QUARANTINE}") if fd is not None else ():
            if fd is not None:
                _add(found, name, f"{shown}/{QUARANTINE}/{name}", "quarantined", fd)
    with _below(found, paths, ".", shown):
        pass  # noted with its mode and owner


@contextmanager
def _below(found: Found, paths: StorePaths, name: str, shown: str) -> Iterator[int | None]:
    """A folder of our sidecar, reached through no link, noted with its mode and owner."""
    fd: int | None = None
    try:
        fd = files.open_below(paths.sidecar, name)
        found.note_folder(shown, fd)
    except FileNotFoundError:
        pass
    except SessionStoreError as error:
        found.cannot(shown, error)
    try:
        yield fd
    finally:
        if fd is not None:
            files.close_directory(fd)


def _staging(found: Found, name: str, shown: str, fd: int) -> None:
    facts = _facts(found, name, shown, "staging", fd)
    if facts is None:
        return
    try:
        is_young = found.at_ms - facts.modified_at_ms < _CLAIMING_MS
        is_locked = is_young or (facts.is_folder and is_in_use(name, dir_fd=fd))
    except FileNotFoundError:
        return
    except SessionStoreError as error:
        found.cannot(shown, error)
        return
    found.files[shown] = replace(facts, is_locked=is_locked)
