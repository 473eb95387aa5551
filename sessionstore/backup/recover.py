"""What a damaged or missing store, or one session of it, can be recovered from.

Everything is only looked at: listing repairs, moves and removes nothing (requirement B16). A backup
is restored in place by a plan (``plan_restore``); anything else is first copied to a new place,
where it can be looked at and compared.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..entryfiles import wrap
from ..errors import EntryNotFoundError, SessionStoreError
from ..keys import check_key, locate
from ..locks import open_locks
from ..paths import StorePaths
from ..store import Store
from .catalogue import list_backups
from .places import default_root
from .reading import open_archive
from .recover_reading import Found, candidates_of, read_candidate
from .restore import restore_to
from .restore_place import StagedDirectory, new_marker
from .restore_runs import discard_left_runs, one_run
from .restore_target import check_free, target_paths
from .shapes import Backup, Candidate, RestoreReport

_TURN_S = 30.0
_LARGEST = 1 << 30


def recovery_candidates(
    store: Store, *, root: str | os.PathLike[str] | None = None, key: str | None = None
) -> list[Candidate]:
    """List what the store, or the session ``key``, can be recovered from, the newest first.

    Backups below ``root`` (default: where they are kept), copies beside the store, what was set
    aside, versions, and leftovers of interrupted work; each with how many sessions it holds, the
    newest ``updatedAt`` among them (not of backups, whose archives are not opened for it), its
    size, and whether it can be read. Takes no lock and changes nothing. Cost: everything but
    backups is read once; with ``key`` the manifests of the backups are too.

    Raises:
        InvalidKeyError, StoreIOError.
    """
    chosen = None if key is None else check_key(key)
    found = [*_backups(store.paths, root, chosen), *candidates_of(store.paths)]
    if chosen is not None:
        found = [one for one in found if _gives(one, store.paths, chosen)]
    return sorted(found, key=lambda one: (one.at_ms or 0, one.name), reverse=True)


def _backups(
    paths: StorePaths, root: str | os.PathLike[str] | None, key: str | None
) -> Iterator[Candidate]:
    for backup in list_backups(default_root(paths) if root is None else Path(root)):
        if backup.store_path == str(paths.store_path) or (
            backup.agent_id is not None and backup.agent_id == paths.agent_id
        ):
            yield _of_backup(backup, key)


def _of_backup(backup: Backup, key: str | None) -> Candidate:
    candidate = Candidate(
        kind="backup",
        name=backup.id,
        path=backup.path,
        sessions=backup.sessions,
        newest_updated_at_ms=None,
        size_bytes=backup.size_bytes,
        readable=not backup.problem,
        note=backup.problem or backup.reason,
        at_ms=backup.created_ms,
        backup=backup,
    )
    if key is None:
        return candidate
    try:
        with open_archive(backup) as archive:
            held = any(one.key == key for one in archive.manifest.sessions)
    except FileNotFoundError:
        return replace(candidate, readable=False, note="the archive is gone")
    except SessionStoreError as error:
        return replace(candidate, readable=False, note=error.message)
    return replace(candidate, key=key, sessions=1) if held else replace(candidate, sessions=0)


def _gives(candidate: Candidate, paths: StorePaths, key: str) -> bool:
    """Whether a candidate holds this session, or may for all that can be told."""
    if candidate.key is not None:
        return candidate.key == key
    if candidate.kind == "backup" or not candidate.readable:
        return candidate.sessions > 0 or not candidate.readable
    return key in read_candidate(candidate, paths)


def recover(candidate: Candidate, store: Store, path: str | os.PathLike[str]) -> RestoreReport:
    """Copy what a candidate holds to a new store at ``path``; the candidate and ``store`` stay.

    A backup is restored there as by :func:`restore_to`. From anything else every sound entry goes
    into a new ``sessions.d``, byte for byte; what is damaged stays where it is. To bring a backup
    back in place, plan it: ``plan_restore(candidate.backup, store)``.

    Raises:
        EntryNotFoundError: there is no sound entry in it.
        CorruptStoreError, UnsafeFileError, FileNotFoundError: the candidate cannot be read.
        StoreIOError, UnsupportedStoreError: the target is refused, as by :func:`restore_to`.
    """
    if candidate.backup is not None:
        return restore_to(candidate.backup, path)
    found = read_candidate(candidate, store.paths)
    if not found:
        raise EntryNotFoundError(
            f"there is no sound entry in {candidate.name}",
            path=candidate.path,
            hint="look at the other candidates",
        )
    paths = target_paths(path, [(store.path.parent, "inside the store")])
    return _copied(candidate, found, paths)


def _copied(candidate: Candidate, found: Found, paths: StorePaths) -> RestoreReport:
    started = time.monotonic()
    check_free(paths, [])
    with one_run(paths, timeout=_TURN_S) as run:
        discard_left_runs(run)
        check_free(paths, [])
        name = paths.directory.name
        try:
            staged = StagedDirectory(paths, run.path)
            for key, data in found.items():
                file = locate(key).file_name
                body = wrap(key, data, max_bytes=_LARGEST) if "/" in file else data
                staged.add(file, body)
            verified = staged.finish(new_marker(open_locks(paths.sidecar).protocol))
            run.publish(name)
        except BaseException:
            run.discard_quietly()
            raise
    return RestoreReport(
        sentence=f"{verified} sessions of {candidate.name} are in the new store, read back",
        target=paths.store_path,
        sessions=verified,
        transcripts=0,
        verified=verified,
        replaced_backup=None,
        versions=(),
        findings=(),
        took_s=time.monotonic() - started,
        exclusive_s=0.0,
    )
