"""A new sidecar for an archive that lost its own, or was brought from elsewhere."""

from __future__ import annotations

import hashlib

from ..changes import now_ms
from ..errors import DamagedBackupError
from .catalogue import catalogue_of, write_note
from .manifest import Manifest
from .reading import Archive, open_archive
from .shapes import Backup, Progress
from .sidecars import Note, Piece
from .untrusted import refused


def adopt_archive(backup: Backup, *, progress: Progress | None = None) -> Backup:
    """Give a backup a new sidecar whose own is missing or damaged, from its archive alone.

    Every byte of the archive is read and compared first. Who held it, and when it was verified
    or proven before, is lost with the old sidecar.

    Raises:
        FileNotFoundError: there is no archive.
        DamagedBackupError, UnsafeBackupError, UnsupportedStoreError: the archive is not sound;
            nothing was written.
        StoreIOError.
    """
    with open_archive(backup, use_note=False) as archive:
        manifest = archive.manifest
        for done, checked in enumerate(archive.walk(), 1):
            if checked.problem is not None:
                raise DamagedBackupError(checked.problem.message, path=backup.path)
            if progress is not None:
                progress(done, len(manifest.sessions), checked.member.subject)
        if not backup.path.name.startswith(f"{manifest.id}."):
            raise refused(f"it is the backup {manifest.id} under another name")
        whole = hashlib.sha256()
        for chunk in archive.raw(Piece(0, archive.size_bytes, "", 0)):
            whole.update(chunk)
        pieces = (Piece(0, archive.size_bytes, whole.hexdigest(), 0),)
        adopted = _from_manifest(manifest, archive, whole.hexdigest())
    with catalogue_of(backup.path.parent):
        write_note(Note(adopted, pieces))
    return adopted


def _from_manifest(manifest: Manifest, archive: Archive, sha256: str) -> Backup:
    return Backup(
        id=manifest.id,
        path=archive.path,
        agent_id=manifest.agent_id,
        store_path=manifest.store_path,
        layout=manifest.layout,
        scope=manifest.scope,
        created_ms=manifest.created_ms,
        reason=manifest.reason,
        by=manifest.by,
        sessions=len(manifest.sessions),
        transcripts=len(manifest.transcripts),
        with_transcripts=manifest.with_transcripts,
        size_bytes=archive.size_bytes,
        content_bytes=manifest.content_bytes,
        sha256=sha256,
        compression=archive.compression,
        linked=True,
        took_s=0.0,
        exclusive_s=0.0,
        verified_ms=now_ms(),
        verified_depth="everything",
    )
