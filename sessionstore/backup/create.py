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
from pathlib import Path

from .. import treefiles
from ..changes import now_ms
from ..errors import ConflictError, SessionStoreError, StoreIOError
from ..files import (
    close_directory,
    ensure_directory,
    move_into,
    open_directory,
    remove_quietly,
)
from ..keys import locate
from ..store import Store
from ..treefiles import WorkFolder
from . import sidecars
from .archive import tar_bytes
from .gathering import ShrankError
from .gathering_transcripts import transcripts_bytes
from .leftovers import NOTE, sweep
from .packing import has_zstd, make_packer
from .places import NEW_PREFIX, RUN_PREFIX, agent_folder, check_root, new_id, plain_text
from .shapes import Backup, Compression, Progress
from .snapshot import ENTRIES, STORE_FILE, TRANSCRIPTS, take_snapshot
from .writing import TooDenseError, Wish, write_archive

_TRIES = 3
_LONGEST_TEXT = 2_000


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
        ValueError: ``reason`` or ``by`` is longer than 2,000 characters, or no Unicode text.
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
    for text in (reason, by):
        _check_text(text)
    wish = Wish(
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


def _check_text(text: str) -> None:
    if len(text) > _LONGEST_TEXT or text != plain_text(text):
        raise ValueError(f"reason and by are texts of at most {_LONGEST_TEXT:,} characters")


def _backup_tree(wish: Wish, tree: WorkFolder, folder: Path) -> Backup:
    store = wish.store
    snapshot = take_snapshot(store.paths, tree, keys=wish.keys, timeout=store.timeout)
    expected = _expected_bytes(wish, tree)
    _check_space(folder, expected)
    plain = False
    for _ in range(_TRIES):
        with treefiles.make_work_folder(folder, NEW_PREFIX) as work:
            try:
                backup = write_archive(wish, snapshot, work, folder, expected=expected, plain=plain)
            except ShrankError:
                treefiles.remove_below(tree, TRANSCRIPTS)
                continue
            except TooDenseError:
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


def _expected_bytes(wish: Wish, tree: WorkFolder) -> int:
    """What the archive would have uncompressed."""
    rows = sum(map(tar_bytes, treefiles.sizes_below(tree, ENTRIES)))
    source = sum(
        map(tar_bytes, treefiles.sizes_below(tree, STORE_FILE))
    )  # once whole, once in rows
    return rows + 2 * source + (transcripts_bytes(wish.store.paths) if wish.transcripts else 0)


def _check_space(folder: Path, expected: int) -> None:
    free = treefiles.free_bytes(folder)
    if free < expected:
        raise StoreIOError(
            f"{folder} has {free:,} bytes free, and the backup may need {expected:,}",
            errno=errno.ENOSPC,
            path=folder,
            hint="free some space, prune older backups, or name another folder",
        )


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
