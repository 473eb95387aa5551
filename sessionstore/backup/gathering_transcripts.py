"""Transcripts, into an archive: as long as they are at this moment, up to the last whole line.

They only grow, and they are linked after the entries, so they hold at least what the entries
speak of. What a run is just writing is cut off.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from .. import files
from ..entries import NotAnEntryError, decode
from ..errors import Finding, StoreIOError, UnsafeFileError
from ..index.naming import printable
from ..paths import StorePaths
from ..transcripts import find_transcript
from ..treefiles import Reader, Tree
from .archive import tar_bytes
from .gathering import Gathered, is_too_large, not_kept
from .manifest import transcript_member
from .snapshot import TRANSCRIPTS, Snapshot

_LIVE = ".jsonl"
_NAME = re.compile(r"[^/\0]+\.jsonl(?:\.(?:deleted|reset|bak)\.[^/\0]+)?", re.DOTALL)
_LINE_BYTES = 1 << 20


def transcripts_bytes(paths: StorePaths) -> int:
    """Bytes of all transcripts in the store's folder; one ``lstat`` each."""
    folder = paths.store_path.parent
    try:
        names = [name for name in files.list_names(folder) if _NAME.fullmatch(name)]
    except FileNotFoundError:
        return 0
    found = (files.status_of(folder / name) for name in names)
    return sum(tar_bytes(status.st_size) for status in found if status is not None)


def link_transcripts(snapshot: Snapshot, names: Collection[str] | None) -> Tree:
    """Link the transcripts of the store's folder (None: all of them) into the tree.

    Raises:
        StoreIOError: the folder cannot be read, or the disk is full.
    """
    tree = Tree(snapshot.folder, TRANSCRIPTS)
    try:
        fd = files.open_directory(snapshot.paths.store_path.parent, named=True)
    except FileNotFoundError:
        return tree
    try:
        for name in files.list_names(fd) if names is None else names:
            if not _NAME.fullmatch(name):
                continue
            taken = tree.take(name, from_fd=fd)
            if taken == "copied":
                snapshot.linked = False
    finally:
        files.close_directory(fd)
    return tree


def transcripts_of(snapshot: Snapshot, found: Gathered) -> set[str]:
    """The names of the transcripts of a selection's sessions, in the store's own folder."""
    home = snapshot.paths.store_path.parent
    names: set[str] = set()
    for key, entry in found.entries.items():
        looked = find_transcript(snapshot.paths, key, entry)
        if looked.path is not None and looked.is_there:
            if files.real_path(looked.path.parent) == files.real_path(home):
                names.add(looked.path.name)
            else:
                why = "it lies in another folder"
                found.findings.append(not_kept(str(looked.path), why, key=key))
    return names


def gather_transcripts(snapshot: Snapshot, found: Gathered, tree: Tree) -> None:
    """Add every transcript of the tree."""
    home = snapshot.paths.store_path.parent
    names = sorted(tree.names())
    found.expect(len(names))
    for name in names:
        path = str(home / printable(name))
        try:
            with Reader(name, dir_fd=tree.fd) as reader:
                if printable(name) != name:
                    found.findings.append(not_kept(path, "its name is not UTF-8"))
                elif is_too_large(reader):
                    found.findings.append(not_kept(path, "it has over 8 GiB"))
                else:
                    _add(found, name, path, reader)
        except UnsafeFileError:
            found.findings.append(not_kept(path, "it is a link or special file"))
        except StoreIOError as error:
            if error.path != name:
                raise  # of the archive, not of this file
            found.findings.append(not_kept(path, error.message))


def _add(found: Gathered, name: str, path: str, reader: Reader) -> None:
    size = _whole_lines(reader) if name.endswith(_LIVE) else reader.size_bytes
    if size < reader.size_bytes:
        cut = reader.size_bytes - size
        found.findings.append(
            Finding(
                "torn-transcript",
                "info",
                None,
                path,
                f"{name} ended in the middle of a line; its last {cut:,} bytes are left out",
                "a run was writing it; the next backup has the whole line",
            )
        )
    found.add_transcript(name, transcript_member(name), reader, size)


def _whole_lines(reader: Reader) -> int:
    """The size without a last line that is not finished."""
    size = end = reader.size_bytes
    tail = b""
    while end > 0:
        start = max(end - _LINE_BYTES, 0)
        block = reader.read_at(start, end - start)
        at = block.rfind(b"\n")
        tail = block[at + 1 :] + tail if len(tail) <= 2 * _LINE_BYTES else tail
        if at >= 0:
            whole = start + at + 1
            return size if whole == size or _is_json(tail) else whole
        end = start
    return size if not size or _is_json(tail) else 0


def _is_json(line: bytes) -> bool:
    try:
        decode(line)
    except NotAnEntryError:
        return False
    return True
