"""The small file beside each archive, so that lists never open archives.

Every byte of it counts: it is exactly what :func:`encode` makes of its content, with a digest
over the rest, so a single turned bit is found. It is rewritten only to hold, release, and note
verifications and restores.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from ..errors import DamagedBackupError, Finding, UnsupportedStoreError
from ..files import read_file
from .shapes import Backup, Compression, Depth
from .untrusted import check_id

KIND: Final = "sessionstore-backup-note"
FORMAT: Final = 1
MAX_BYTES: Final = 1 << 20

SUFFIXES: Final[dict[Compression, str]] = {"gzip": ".tar.gz", "zstd": ".tar.zst"}
NOTE_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of an archive: where it is, its digest, and the number of its first member.

    The manifest's piece has first member 0; the members after it count from 1.
    """

    offset: int
    size_bytes: int
    sha256: str
    first: int


@dataclass(frozen=True, slots=True)
class Note:
    """A sidecar: the backup as lists show it, and the pieces of its archive."""

    backup: Backup
    pieces: tuple[Piece, ...]


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Field for field what the file holds; the path is where it lies."""

    id: str
    agent_id: str | None
    store_path: str
    layout: Literal["directory", "legacy", "empty"]
    scope: Literal["store", "selection"]
    created_ms: int
    reason: str
    by: str
    sessions: int
    transcripts: int
    with_transcripts: bool
    size_bytes: int
    content_bytes: int
    sha256: str
    compression: Compression
    linked: bool
    took_s: float
    exclusive_s: float
    held: bool
    verified_ms: int | None
    verified_depth: Depth | None
    verified_part: tuple[int, int] | None
    proven_ms: int | None
    damage: str
    findings: list[
        tuple[str, Literal["info", "warning", "error"], str | None, str | None, str, str]
    ]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    format: int
    backup: _Saved
    pieces: list[tuple[int, int, str, int]]
    digest: str


_FIELDS: Final = tuple(one.name for one in fields(Backup) if one.name not in ("path", "problem"))


def archive_name(backup_id: str, compression: Compression) -> str:
    """``<id>.tar.gz`` or ``<id>.tar.zst``."""
    return backup_id + SUFFIXES[compression]


def note_path(backup: Backup) -> Path:
    """Where a backup's sidecar is."""
    return backup.path.with_name(backup.id + NOTE_SUFFIX)


def encode(note: Note) -> bytes:
    """The sidecar's bytes."""
    saved: dict[str, Any] = {name: getattr(note.backup, name) for name in _FIELDS}
    saved["findings"] = [
        (one.rule, one.severity, one.key, one.path, one.message, one.hint)
        for one in note.backup.findings
    ]
    rows = [(one.offset, one.size_bytes, one.sha256, one.first) for one in note.pieces]
    body: dict[str, Any] = {"kind": KIND, "format": FORMAT, "backup": saved, "pieces": rows}
    digest = hashlib.sha256(msgspec.json.encode(body)).hexdigest()
    return msgspec.json.format(msgspec.json.encode({**body, "digest": digest}), indent=1) + b"\n"


def decode(data: bytes, folder: Path) -> Note:
    """Read a sidecar that lies in ``folder``.

    Raises:
        UnsupportedStoreError: a later format; names it.
        DamagedBackupError: any other difference from what :func:`encode` makes.
    """
    try:
        number = msgspec.json.decode(data, type=dict[str, Any]).get("format")
        if isinstance(number, int) and number > FORMAT:
            raise UnsupportedStoreError(
                f"the backup's sidecar has format {number}; this version reads {FORMAT}",
                hint="use the version of sessionstore that wrote it",
            )
        file = msgspec.json.decode(data, type=_File)
        saved = {name: getattr(file.backup, name) for name in _FIELDS}
        saved["findings"] = tuple(Finding(*one) for one in file.backup.findings)
        path = folder / archive_name(check_id(file.backup.id), file.backup.compression)
        note = Note(Backup(path=path, **saved), tuple(Piece(*one) for one in file.pieces))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, UnsupportedStoreError):
            raise
        raise _damaged(str(error)) from error
    if file.kind != KIND or encode(note) != data:
        raise _damaged("it is not as it was written")
    return note


def read_note(archive: Path) -> Note:
    """The sidecar of an archive.

    Raises:
        FileNotFoundError, DamagedBackupError, UnsupportedStoreError, StoreIOError.
    """
    for suffix in SUFFIXES.values():
        if archive.name.endswith(suffix):
            name = archive.name.removesuffix(suffix) + NOTE_SUFFIX
            note = archive.with_name(name)
            return decode(read_file(note, max_bytes=MAX_BYTES), archive.parent)
    raise FileNotFoundError(archive)


def _damaged(why: str) -> DamagedBackupError:
    return DamagedBackupError(
        f"the sidecar is damaged: {why}",
        hint="verify the archive; what it holds can still be restored from the archive alone",
    )
