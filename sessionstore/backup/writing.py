"""Writing one archive and its sidecar into a work folder, and reading the archive back."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from ..changes import now_ms
from ..errors import DamagedBackupError, Finding
from ..store import Store
from ..treefiles import WorkFolder, Writer
from . import sidecars
from .archive import ArchiveWriter
from .gathering import Gathered
from .gathering_directory import gather_directory
from .gathering_legacy import gather_legacy
from .gathering_transcripts import gather_transcripts, link_transcripts, transcripts_of
from .leftovers import NOTE
from .manifest import RATIO, RATIO_FREE_BYTES, Manifest
from .places import plain_text
from .reading import Archive
from .shapes import Backup, Compression, Progress
from .sidecars import Note, Piece
from .snapshot import Snapshot

_MOST_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Wish:
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


class TooDenseError(Exception):
    """The archive is so much smaller than its content that its reader would refuse it."""


def write_archive(
    wish: Wish,
    snapshot: Snapshot,
    work: WorkFolder,
    folder: Path,
    *,
    expected: int,
    plain: bool,
) -> Backup:
    """Write archive and sidecar into the work folder, synced, and read the archive back.

    ``folder`` is where they will be published, ``expected`` the bytes of content to come.

    Raises:
        TooDenseError, ShrankError: nothing is wrong, but it has to be written another way.
        DamagedBackupError: it does not read back.
        StoreIOError: the disk is full, or another refusal.
    """
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
        raise TooDenseError
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
        findings=_for_the_list(found.findings),
    )
    with Writer(NOTE, dir_fd=work.fd, path=work.path / NOTE) as note:
        note.write(sidecars.encode(Note(backup, pieces)))
        note.sync()
    return backup


def _for_the_list(findings: list[Finding]) -> tuple[Finding, ...]:
    """Findings as the sidecar keeps them: as text, and not so many that it is small no more."""
    kept = [
        Finding(
            one.rule,
            one.severity,
            one.key,
            None if one.path is None else plain_text(one.path),
            plain_text(one.message),
            one.hint,
        )
        for one in findings[:_MOST_FINDINGS]
    ]
    if more := len(findings) - len(kept):
        hint = "the manifest names every damaged file; look at the store's own findings"
        kept.append(Finding("more", "warning", None, None, f"{more:,} more findings", hint))
    return tuple(kept)


def _gather(wish: Wish, snapshot: Snapshot, found: Gathered) -> None:
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


def _manifest(wish: Wish, snapshot: Snapshot, found: Gathered) -> Manifest:
    return Manifest(
        id=wish.id,
        store_path=plain_text(str(wish.store.path)),
        layout=snapshot.layout,
        agent_id=None if wish.store.agent_id is None else plain_text(wish.store.agent_id),
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
