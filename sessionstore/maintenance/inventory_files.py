"""What lies in a store's folder, in ``sessions.d`` and among the prompt texts.

Only transcripts that are too small to hold a conversation are read, 2 KiB of them at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .. import files
from ..entries import NotAnEntryError, decode
from ..errors import SessionStoreError, UnsafeFileError
from ..keys import MARKER_NAME, SIDE_AREA
from ..paths import StorePaths
from ..transcripts import PRIMARY_KINDS, Named, classify
from . import inventory_sidecar
from .inventory_found import Found, add, facts_of, folder, names_in
from .prompt_texts import BLOB_FOLDER, is_blob
from .shapes import FileKind

SMALL_BYTES = 2048
"""A transcript of more has more than a header."""


def look(paths: StorePaths, at_ms: int) -> Found:
    """Look at the store's folder, ``sessions.d``, our sidecar and the prompt texts.

    Never raises for what is in the way: that is in ``odd`` and ``unreadable``.
    """
    found = Found(at_ms, str(paths.store_path.parent))
    with folder(found, paths.store_path.parent, "", named=True) as fd:
        found.is_listed = not found.unreadable
        if fd is not None:
            _store_folder(found, paths, fd)
    inventory_sidecar.look(found, paths)
    return found


def _store_folder(found: Found, paths: StorePaths, fd: int) -> None:
    store_name, directory = paths.store_path.name, paths.directory.name
    names = names_in(found, fd, str(paths.store_path.parent))
    found.is_listed = not found.unreadable
    for name in names:
        if name == directory:
            _directory(found, name, fd)
        elif name == BLOB_FOLDER.partition("/")[0]:
            _blobs(found, fd)
        elif name != files.SIDECAR_ROOT:
            _beside(found, name, classify(name, store_name), fd)


def _beside(found: Found, name: str, named: Named, fd: int) -> None:
    facts = facts_of(found, name, name, named.kind, fd)
    if facts is None:
        return
    found.named[name] = named
    content = ""
    if named.kind in PRIMARY_KINDS and facts.size_bytes <= SMALL_BYTES:
        content = _content(found, name, facts.size_bytes, fd)
    found.files[name] = replace(
        facts,
        session_id=named.session_id,
        archived_at_ms=named.archived_at_ms,
        content=content,
    )


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
    with folder(found, name, name, dir_fd=dir_fd) as fd:
        if fd is None:
            return
        for inner in names_in(found, fd, name):
            shown = f"{name}/{inner}"
            if inner == SIDE_AREA:
                _each(found, inner, shown, fd, lambda _: "entry")
            else:
                kind: FileKind = "marker" if inner == MARKER_NAME else _kind_in_directory(inner)
                add(found, inner, shown, kind, fd)


def _kind_in_directory(name: str) -> FileKind:
    if name.endswith(".tmp"):
        return "store-temp"
    return "entry" if name.endswith(".json") else "other"


def _each(
    found: Found, name: str, shown: str, dir_fd: int, kind_of: Callable[[str], FileKind | None]
) -> None:
    """Look at every name of a folder; one without a kind is left out."""
    with folder(found, name, shown, dir_fd=dir_fd) as fd:
        for inner in names_in(found, fd, shown) if fd is not None else ():
            kind = kind_of(inner)
            if kind is not None and fd is not None:
                add(found, inner, f"{shown}/{inner}", kind, fd)


def _blobs(found: Found, dir_fd: int) -> None:
    outer, _, inner = BLOB_FOLDER.partition("/")
    with folder(found, outer, outer, dir_fd=dir_fd) as top:
        if top is None:
            return
        with folder(found, inner, BLOB_FOLDER, dir_fd=top) as fd:
            for name in names_in(found, fd, BLOB_FOLDER) if fd is not None else ():
                if len(name) == 2 and fd is not None:
                    _each(
                        found,
                        name,
                        f"{BLOB_FOLDER}/{name}",
                        fd,
                        lambda file: "blob" if is_blob(file) else "other",
                    )
