"""Proof that a backup can be restored: it is, to scratch space, and compared by hash."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from ..changes import now_ms
from ..errors import DamagedBackupError, Finding, SessionStoreError, UnsafeFileError
from ..files import digest_of
from ..keys import locate
from ..paths import StorePaths, store_paths
from ..store import open_store
from ..treefiles import dead_folders, make_work_folder
from .catalogue import note_proven
from .manifest import Manifest
from .reading import open_archive
from .restore import place_archive
from .restore_source import SOURCE_FILE
from .shapes import Backup, DrillReport, Progress

FOLDER = ".drills"
_PREFIX = "drill-"


def drill(
    backup: Backup,
    *,
    scratch: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> DrillReport:
    """Restore a backup on trial and compare every session and transcript by its sha256.

    ``scratch`` is a folder for that, by default one beside the backup; what is restored is removed
    again, after a kill by the next drill there. Where all is equal, the time is noted in the
    backup's sidecar (``proven_ms``). The stores themselves are never looked at. Cost: one restore,
    one more read of it, and as much free space as the content has bytes.

    Raises:
        FileNotFoundError: the archive is gone.
        StoreIOError: no scratch space, or the disk refused. What is wrong with the backup never
            raises: it is in ``problems``.
    """
    started = time.monotonic()
    root = backup.path.parent / FOLDER if scratch is None else Path(os.path.abspath(scratch))
    for dead in dead_folders(root, _PREFIX):
        dead.remove()
    problems: list[Finding] = []
    sessions = transcripts = compared = 0
    with make_work_folder(root, _PREFIX) as folder:
        paths = store_paths(folder.path / "restored" / "sessions.json")
        try:
            with open_archive(backup) as archive:
                report = place_archive(archive, paths, progress=progress, durable=False)
                problems += [one for one in report.findings if one.rule == "damaged-backup"]
                problems += _differences(archive.manifest, paths)
                sessions, transcripts = report.sessions, report.transcripts
                compared = archive.manifest.content_bytes
        except SessionStoreError as error:
            if isinstance(error, OSError):
                raise
            problems.append(_refused(error))
    proven_ms = None
    if not problems:
        proven_ms = now_ms()
        note_proven(backup, at_ms=proven_ms)
    return DrillReport(
        backup_id=backup.id,
        ok=not problems,
        sentence=_sentence(sessions, transcripts, problems),
        problems=tuple(problems),
        sessions=sessions,
        transcripts=transcripts,
        compared_bytes=compared,
        proven_ms=proven_ms,
        took_s=time.monotonic() - started,
    )


def _differences(manifest: Manifest, paths: StorePaths) -> Iterator[Finding]:
    """What the manifest says and the restored store is not: read anew by hash, and as a store."""
    for path, digest, key in _expected(manifest, paths):
        try:
            is_equal = digest_of(path) == digest
        except (FileNotFoundError, UnsafeFileError):
            is_equal = False
        if not is_equal:
            yield _differs(path.name, key)
    with open_store(paths, max_entry_bytes=1 << 30) as store:
        there, wanted = {*store.load()}, {one.key for one in manifest.sessions}
    for key in sorted(there ^ wanted):
        yield _differs(ascii(key), key)


def _expected(manifest: Manifest, paths: StorePaths) -> Iterator[tuple[Path, str, str | None]]:
    """Each file that a restore makes, with its sha256 and its session."""
    if manifest.layout == "legacy":
        for source in manifest.sources:
            if source.name == SOURCE_FILE:
                yield paths.store_path, source.sha256, None
    else:
        for one in manifest.sessions:
            yield paths.directory / locate(one.key).file_name, one.sha256, one.key
    for transcript in manifest.transcripts:
        yield paths.store_path.with_name(transcript.name), transcript.sha256, None


def _differs(name: str, key: str | None) -> Finding:
    return Finding(
        "not-restorable",
        "error",
        key,
        None,
        f"{name} was not restored as it was backed up",
        "verify the backup, and take a new one now",
    )


def _refused(error: SessionStoreError) -> Finding:
    rule = "damaged-backup" if isinstance(error, DamagedBackupError) else "not-restorable"
    return Finding(rule, "error", error.key, error.path, error.message, error.hint)


def _sentence(sessions: int, transcripts: int, problems: list[Finding]) -> str:
    if problems:
        return f"the backup is not proven: {len(problems)} problems, first: {problems[0].message}"
    return f"{sessions} sessions and {transcripts} transcripts restored on trial, all equal by hash"
