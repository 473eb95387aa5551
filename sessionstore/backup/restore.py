"""Restoring a backup: to a new place, or in place by a plan.

``restore_to`` writes where nothing is. ``restore`` carries out a plan of ``plan_restore``; how is
in ``restore_in_place``. Killed at any moment and run again, either ends the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable

from ..errors import Finding
from ..keys import check_key
from ..locks import open_locks
from ..paths import StorePaths
from .reading import Archive, open_archive
from .restore_place import StagedDirectory, new_marker
from .restore_runs import Run, discard_left_runs, one_run
from .restore_source import Taken, check_keys, lost_sessions, stage_legacy, stage_sessions
from .restore_target import check_free, places_of, target_paths
from .restore_transcripts import staged_transcripts, transcripts_of
from .shapes import Backup, Progress, RestoreReport

_TURN_S = 30.0


def restore_to(
    backup: Backup,
    path: str | os.PathLike[str],
    *,
    keys: Iterable[str] | None = None,
    progress: Progress | None = None,
) -> RestoreReport:
    """Restore a backup, or some sessions of it, to a new store file that does not exist.

    The new store has the layout that was backed up: a ``sessions.json`` equal byte by byte, or a
    ``sessions.d`` whose files are. Transcripts come beside it where the backup has them. All of it
    is written aside, synced, read back and compared before the store is there at all; a damaged
    part of the archive is left out and named in ``findings``. Locks nothing: nobody knows the new
    store yet.

    Raises:
        StoreIOError: something is at the target already (``EEXIST``), or the disk refused.
        UnsupportedStoreError: the target is inside a store or among backups; a later format.
        UnsafeFileError: a link stands at the target.
        EntryNotFoundError: a named session is not in the backup.
        UnsafeBackupError, DamagedBackupError: the archive is refused, or its manifest is damaged.
        LockTimeoutError: another restore to this place is at work.
    """
    chosen = None if keys is None else tuple(dict.fromkeys(check_key(key) for key in keys))
    paths = target_paths(path, places_of(backup))
    with open_archive(backup) as archive:
        check_keys(archive, chosen or ())
        return place_archive(archive, paths, keys=chosen, progress=progress)


def place_archive(
    archive: Archive,
    paths: StorePaths,
    *,
    keys: Collection[str] | None = None,
    progress: Progress | None = None,
    durable: bool = True,
) -> RestoreReport:
    """:func:`restore_to` of an open archive, where the place is known to be one that may be used.

    ``durable=False`` is for what is removed again at once: sessions are not synced.

    Raises:
        StoreIOError, UnsafeBackupError, LockTimeoutError: as :func:`restore_to`.
    """
    started = time.monotonic()
    check_free(paths, transcripts_of(archive, None))
    with one_run(paths, timeout=_TURN_S) as run:
        discard_left_runs(run)
        check_free(paths, transcripts_of(archive, None))
        name = (
            paths.store_path.name if archive.manifest.layout == "legacy" else paths.directory.name
        )
        try:
            taken, verified = _staged(archive, run, keys, progress, durable=durable)
            ids = None if keys is None else taken.session_ids
            with staged_transcripts(archive, run, transcripts_of(archive, ids)) as transcripts:
                placed = transcripts.place()
            run.publish(name)
        except BaseException:
            run.discard_quietly()
            raise
    findings = (*taken.problems, *transcripts.problems, *_left_damaged(archive, keys))
    return RestoreReport(
        sentence=_sentence(len(taken.states), placed, findings),
        target=paths.store_path,
        sessions=len(taken.states),
        transcripts=placed,
        verified=verified,
        replaced_backup=None,
        versions=(),
        findings=findings,
        took_s=time.monotonic() - started,
        exclusive_s=0.0,
    )


def _staged(
    archive: Archive,
    run: Run,
    keys: Collection[str] | None,
    progress: Progress | None,
    *,
    durable: bool,
) -> tuple[Taken, int]:
    if archive.manifest.layout == "legacy":
        taken = stage_legacy(
            archive,
            keys,
            name=run.paths.store_path.name,
            dir_fd=run.fd,
            folder=run.path,
            progress=progress,
        )
        return taken, len(taken.states)
    staged = StagedDirectory(run.paths, run.path)
    taken = stage_sessions(archive, staged, keys, progress)
    protocol = open_locks(run.paths.sidecar).protocol
    return taken, staged.finish(new_marker(protocol), progress, durable=durable)


def _left_damaged(archive: Archive, keys: Collection[str] | None) -> list[Finding]:
    """What the store had that was no sound entry; a whole ``sessions.json`` has it in it."""
    if archive.manifest.layout == "legacy" and keys is None:
        return []
    return [
        Finding(
            "damaged-entry",
            "warning",
            one.key,
            None,
            f"{one.file} was damaged when the backup was taken, so it stays out: {one.reason}",
            "its bytes are in the archive",
        )
        for one in lost_sessions(archive)
        if keys is None or one.key in keys
    ]


def _sentence(sessions: int, transcripts: int, findings: tuple[Finding, ...]) -> str:
    text = f"{sessions} sessions and {transcripts} transcripts are in the new store, read back"
    damaged = sum(finding.rule == "damaged-backup" for finding in findings)
    return f"{text}; {damaged} parts of the archive are damaged and left out" if damaged else text
