"""Taking a backup: snapshot, archive, read back, publish.

The snapshot keeps writers out for as long as its last few links take; everything else runs from
the tree of links with nobody blocked. The archive and its sidecar are written in a work folder,
synced and read back before they get their names, so whatever has a name is whole. What a killed
run leaves is locked by nobody and swept, or finished, by the next.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from .. import treefiles
from ..changes import now_ms
from ..errors import (
    ConflictError,
    DamagedBackupError,
    Finding,
    SessionStoreError,
    StoreIOError,
)
from ..files import (
    close_directory,
    ensure_directory,
    move_into,
    open_directory,
    remove_quietly,
)
from ..keys import locate
from ..store import Store
from ..treefiles import WorkFolder, Writer
from . import sidecars
from .archive import ArchiveWriter, tar_bytes
from .gathering import Gathered, ShrankError
from .gathering_directory import gather_directory
from .gathering_legacy import gather_legacy
from .gathering_transcripts import gather_transcripts, link_transcripts, transcripts_of
from .leftovers import NOTE, sweep
from .manifest import RATIO, RATIO_FREE_BYTES, Manifest
from .packing import has_zstd, make_packer
from .places import NEW_PREFIX, RUN_PREFIX, agent_folder, check_root, new_id
from .reading import Archive
from .shapes import Backup, Compression, Progress
from .sidecars import Note, Piece
from .snapshot import ENTRIES, STORE_FILE, TRANSCRIPTS, Snapshot, take_snapshot

_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for."""

    store: Store
    reason: str
    by: str
    keys: frozenset[str] | None
    transcripts: bool
    progress: Progress | None
    compression: Compression
    id: str
    created_ms: int
    started: float


def create_backup(
    store: Store,
    *,
    reason: str,
    root: str | os.PathLike[str] | None = None,
    by: str = "",
    transcripts: bool = False,
    keys: Collection[str] | None = None,
    progress: Progress | None = None,
    compression: Compression = "gzip",
) -> Backup:
    """Write one moment of the store to ``<root>/<agent>/<id>.tar.gz``, proven by reading it back.

    ``keys`` restricts it to some sessions, ``transcripts`` adds their transcripts (without
    ``keys`` all of the store's folder). ``root`` defaults to ``<state>/.sessionstore/backups``.
    Writers go on meanwhile: ``exclusive_s`` of the result is for how long they could not. Works
    beside a running gateway. Damaged entries are kept byte for byte and are ``findings``.

    Costs one read of each file, a second link of each on the store's file system while it runs,
    and about the archive's size twice below ``root`` until it is done.

    Raises:
        InvalidKeyError: one of ``keys`` can be no key.
        UnsafeFileError: ``root`` is inside the store.
        StoreIOError: the disk is full (``ENOSPC``, also when it is seen beforehand), or refused.
        LockTimeoutError: the store could not be had for the last links.
        ConflictError: a program keeps rewriting files in place.
        UnsupportedStoreError: another program's layout, or zstd without a library for it.
    """
    started = time.perf_counter()
    if compression == "zstd" and not has_zstd():
        make_packer("zstd")
    created_ms = now_ms()
    wish = _Wish(
        store=store,
        reason=reason,
        by=by,
        keys=None if keys is None else frozenset(locate(key).key for key in keys),
        transcripts=transcripts,
        progress=progress,
        compression=compression,
        id=new_id(created_ms),
        created_ms=created_ms,
        started=started,
    )
    folder = agent_folder(check_root(store.paths, root), store.agent_id)
    ensure_directory(folder)
    runs = store.paths.sidecar / "runs"
    sweep(runs, folder)
    tree = treefiles.make_work_folder(runs, RUN_PREFIX)
    try:
        return _backup_tree(wish, tree, folder)
    finally:
        # why: the backup stands, or its own error travels; the next run sweeps what is left
        with contextlib.suppress(SessionStoreError):
            tree.remove()


def _backup_tree(wish: _Wish, tree: WorkFolder, folder: Path) -> Backup:
    store = wish.store
    snapshot = take_snapshot(store.paths, tree, keys=wish.keys, timeout=store.timeout)
    expected = sum(map(tar_bytes, treefiles.sizes_below(tree, ENTRIES, STORE_FILE)))
    _check_space(folder, expected)
    plain = False
    for _ in range(_TRIES):
        with treefiles.make_work_folder(folder, NEW_PREFIX) as work:
            try:
                backup = _write(wish, snapshot, work, folder, expected=expected, plain=plain)
            except ShrankError:
                treefiles.remove_below(tree, TRANSCRIPTS)
                continue
            except _TooDenseError:
                plain = True  # the reader would take it for a bomb
                treefiles.remove_below(tree, TRANSCRIPTS)
                continue
            _publish(backup, work, folder)
            return backup
    raise ConflictError(
        f"files of {store.path} lost bytes while they were copied, {_TRIES} times",
        path=store.path,
        hint="a program rewrites them in place; stop it for a moment",
    )


def _check_space(folder: Path, expected: int) -> None:
    free = treefiles.free_bytes(folder)
    if free < expected:
        raise StoreIOError(
            f"{folder} has {free:,} bytes free, and the backup may need {expected:,}",
            errno=errno.ENOSPC,
            path=folder,
            hint="free some space, prune older backups, or name another folder",
        )


class _TooDenseError(Exception):
    """The archive is so much smaller than its content that its reader would refuse it."""


def _write(
    wish: _Wish,
    snapshot: Snapshot,
    work: WorkFolder,
    folder: Path,
    *,
    expected: int,
    plain: bool,
) -> Backup:
    """Write archive and sidecar into the work folder, and read the archive back."""
    compression: Compression = "gzip" if plain else wish.compression
    steps = _Steps(wish.progress)
    writer = ArchiveWriter(work, compression, expected_bytes=expected, plain=plain)
    try:
        found = Gathered(
            writer, steps.step, keep_entries=wish.keys is not None, expect=steps.expect
        )
        _gather(wish, snapshot, found)
        manifest = _manifest(wish, snapshot, found)
        name = sidecars.archive_name(wish.id, compression)
        size, sha256, pieces = writer.finish(manifest, name)
    finally:
        writer.close()
    content = manifest.content_bytes
    if not plain and content > RATIO_FREE_BYTES and content > RATIO * size // 2:
        raise _TooDenseError
    steps.double()
    _read_back(work.path / name, pieces, steps)
    backup = Backup(
        id=wish.id,
        path=folder / name,
        agent_id=manifest.agent_id,
        store_path=manifest.store_path,
        layout=manifest.layout,
        scope=manifest.scope,
        created_ms=wish.created_ms,
        reason=wish.reason,
        by=wish.by,
        sessions=len(found.sessions),
        transcripts=len(found.transcripts),
        with_transcripts=wish.transcripts,
        size_bytes=size,
        content_bytes=content,
        sha256=sha256,
        compression=compression,
        linked=snapshot.linked,
        took_s=round(time.perf_counter() - wish.started, 6),
        exclusive_s=round(snapshot.exclusive_s, 9),
        verified_ms=now_ms(),
        verified_depth="everything",
        findings=tuple(found.findings),
    )
    with Writer(NOTE, dir_fd=work.fd, path=work.path / NOTE) as note:
        note.write(sidecars.encode(Note(backup, pieces)))
        note.sync()
    return backup


def _gather(wish: _Wish, snapshot: Snapshot, found: Gathered) -> None:
    if snapshot.layout == "directory":
        limit = wish.store.max_entry_bytes
        gather_directory(snapshot, found, keys=wish.keys, max_entry_bytes=limit)
    elif snapshot.layout == "legacy":
        gather_legacy(snapshot, found, keys=wish.keys)
    if wish.transcripts:
        names = None if wish.keys is None else transcripts_of(snapshot, found)
        with contextlib.closing(link_transcripts(snapshot, names)) as tree:
            gather_transcripts(snapshot, found, tree)
    for key in sorted((wish.keys or frozenset()) - found.keys()):
        found.findings.append(
            Finding("no-such-session", "warning", key, None, f"there is no session {key}")
        )
    if not snapshot.linked:
        found.findings.append(_not_linked(snapshot))


def _not_linked(snapshot: Snapshot) -> Finding:
    return Finding(
        "copied",
        "info",
        None,
        str(snapshot.paths.sidecar),
        "this file system refuses hard links, so files were copied first",
        "a backup takes longer here, and needs the store's size once more while it runs",
    )


def _manifest(wish: _Wish, snapshot: Snapshot, found: Gathered) -> Manifest:
    return Manifest(
        id=wish.id,
        store_path=str(wish.store.path),
        layout=snapshot.layout,
        agent_id=wish.store.agent_id,
        scope="store" if wish.keys is None else "selection",
        reason=wish.reason,
        by=wish.by,
        created_ms=wish.created_ms,
        with_transcripts=wish.transcripts,
        sources=tuple(found.sources),
        sessions=tuple(found.sessions),
        damaged=tuple(found.damaged),
        transcripts=tuple(found.transcripts),
    )


def _read_back(path: Path, pieces: tuple[Piece, ...], steps: _Steps) -> None:
    """Read the archive as a restore would.

    Raises:
        DamagedBackupError: the disk did not keep what was written.
    """
    with Archive(path, pieces) as archive:
        for checked in archive.walk():
            if checked.problem is not None:
                raise DamagedBackupError(
                    f"the backup was written and does not read back: {checked.problem.message}",
                    path=path,
                    hint="it was not kept; check the disk, and the kernel's log",
                )
            steps.step(checked.member.subject)


def _publish(backup: Backup, work: WorkFolder, folder: Path) -> None:
    """Give both files their names; the sidecar last, since lists go by it."""
    note = sidecars.note_path(backup).name
    fd = open_directory(folder)
    try:
        treefiles.sync_names(work.fd, work.path)
        move_into(backup.path.name, backup.path.name, from_fd=work.fd, to_fd=fd)
        move_into(NOTE, note, from_fd=work.fd, to_fd=fd)
        treefiles.sync_names(fd, folder)
    except BaseException:
        for name in (note, backup.path.name):
            remove_quietly(name, dir_fd=fd)
        raise
    finally:
        close_directory(fd)


class _Steps:
    """Counts members: once when they are written, once when they are read back."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = self._total = 0

    def expect(self, members: int) -> None:
        self._total += 2 * members

    def double(self) -> None:
        """All is written: the total is known for sure."""
        self._total = 2 * self._done

    def step(self, item: str) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, max(self._done, self._total), item)
