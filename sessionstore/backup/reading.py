"""The one reader of archives: used to verify, to restore, and right after writing.

An archive is hostile until it is checked. Only the headers that :mod:`.archive` writes are taken,
byte for byte, in the order of the manifest: links, devices, directories, absolute names, ``..``,
duplicates, extensions (PAX, GNU long names, sparse files) and anything that the manifest does not
name are never interpreted, only named in the refusal. What is merely damaged costs the piece it is
in. Memory is bounded by one chunk, one entry, and the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import (
    DamagedBackupError,
    Finding,
    SessionStoreError,
    UnsafeBackupError,
)
from ..files import DEFAULT_MAX_BYTES
from ..treefiles import Reader
from . import manifest as manifests
from .archive import BLOCK, header
from .headers import claimed_size
from .manifest import Manifest, Member
from .packing import Unpacker
from .shapes import Backup, BackupSession, Compression
from .sidecars import SUFFIXES, Piece, read_note
from .untrusted import check_claims, decode, entry_bytes, refused
from .walking import Checked, Pieces, Sink

MAX_ENTRY_BYTES = 8 * DEFAULT_MAX_BYTES
"""An entry is read into memory; a store may have been opened with a larger limit than usual."""


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """One session of a backup: its bare entry's bytes, or what is wrong with it."""

    session: BackupSession
    data: bytes | None
    problem: Finding | None = None


class Archive:
    """An open archive; close it, or use it in a ``with`` block. Opens nothing else."""

    def __init__(self, path: Path, pieces: tuple[Piece, ...] | None) -> None:
        self.path = path
        self.compression = _compression(path)
        self._file = Reader(path)
        self.size_bytes = self._file.size_bytes
        self._pieces = Pieces(path, self._file, self.compression, told=pieces)
        try:
            self.manifest, self._manifest_bytes = self._read_manifest()
        except BaseException:
            self._file.close()
            raise
        whole = hashlib.sha256(self._manifest_bytes).hexdigest()
        first = Member(manifests.NAME, len(self._manifest_bytes), whole, "the manifest")
        self._pieces.members = [first, *self.manifest.members()]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    # -- what is in it -----------------------------------------------------------------

    def entry(self, key: str) -> bytes:
        """The bare entry of one session; reads only its piece.

        Raises:
            KeyError: the backup does not hold it.
            DamagedBackupError: its part of the archive is damaged.
        """
        for read in self.entries([key]):
            if read.data is None:
                assert read.problem is not None
                raise DamagedBackupError(
                    read.problem.message, key=key, path=self.path, hint=read.problem.hint
                )
            return read.data
        raise KeyError(key)

    def entries(self, keys: Collection[str] | None = None) -> Iterator[ReadEntry]:
        """The sessions of these keys (None: all) in the archive's order, one at a time.

        Raises:
            UnsafeBackupError: the archive is refused as a whole.
        """
        wanted = None if keys is None else frozenset(keys)
        sessions = {
            one.name: one for one in self.manifest.sessions if wanted is None or one.key in wanted
        }
        held: list[bytes] = []

        def sink(member: Member) -> Sink:
            held.clear()
            return held.append if member.size_bytes <= MAX_ENTRY_BYTES else _forget

        for checked in self.walk(sessions, sink):
            session = sessions[checked.member.name]
            if checked.problem is None and session.size_bytes > MAX_ENTRY_BYTES:
                problem = self._pieces.finding(checked.member, f"has {session.size_bytes:,} bytes")
                yield ReadEntry(session, None, problem)
            elif checked.problem is not None:
                yield ReadEntry(session, None, checked.problem)
            else:
                yield self._entry(session, checked.member, b"".join(held))

    def _entry(self, session: BackupSession, member: Member, data: bytes) -> ReadEntry:
        try:
            return ReadEntry(session, entry_bytes(session, data))
        except DamagedBackupError as error:
            return ReadEntry(session, None, self._pieces.finding(member, error.message))

    def walk(
        self,
        names: Collection[str] | None = None,
        sink: Callable[[Member], Sink | None] = lambda member: None,
    ) -> Iterator[Checked]:
        """Read the named members (None: all but the manifest): see :meth:`Pieces.walk`."""
        return self._pieces.walk(names, sink)

    def raw(self, piece: Piece) -> Iterator[bytes]:
        """A piece's compressed bytes, chunk by chunk."""
        return self._pieces.raw(piece)

    @property
    def pieces(self) -> tuple[Piece, ...] | None:
        """The pieces that the sidecar told; None without a sidecar."""
        return self._pieces.told

    def members_of(self, piece: Piece) -> list[Member]:
        """The members of one of :attr:`pieces`, the manifest included."""
        return self._pieces.members_of(piece)

    # -- the manifest ------------------------------------------------------------------

    def _read_manifest(self) -> tuple[Manifest, bytes]:
        first = Piece(0, self.size_bytes, "", 0) if not self.pieces else self.pieces[0]
        try:
            unpacker = self._pieces.unpacker(first)
            block = unpacker.read(BLOCK)
            size = claimed_size(block)
            if block != header(manifests.NAME, size):
                raise self._pieces.odd(block, Member(manifests.NAME, size, ""))
            if size > manifests.MAX_MANIFEST_BYTES:
                raise refused(f"its manifest has {size:,} bytes")
            check_claims(size, 0, self.size_bytes)
            data = unpacker.read(size)
            if len(data) != size:
                raise DamagedBackupError("ends in the middle of the manifest")
            self._end_manifest(unpacker)
            manifest = decode(data)
            check_claims(size, manifest.content_bytes, self.size_bytes)
        except SessionStoreError as error:
            raise self._placed(error) from error.__cause__
        return manifest, data

    def _end_manifest(self, unpacker: Unpacker) -> None:
        """Read past the end of the manifest's piece, so that its checksum has been compared.

        A turned bit must be called damage before the manifest that has it is called unsafe.
        """
        try:
            rest = unpacker.read(BLOCK)
        except DamagedBackupError:
            if not unpacker.sound_pieces:
                raise
            return  # a later piece is damaged, which reading that one will say
        if self.pieces and len(self.pieces) > 1 and rest.strip(b"\0"):
            raise DamagedBackupError("has bytes behind its manifest")

    def _placed(self, error: SessionStoreError) -> SessionStoreError:
        error.path = str(self.path)
        if isinstance(error, DamagedBackupError):
            error.message = f"{self.path.name}: the manifest cannot be read: it {error.message}"
            error.hint = "nothing of it can be restored; use another backup"
        return error


def _forget(chunk: bytes) -> None:
    return None


def _compression(path: Path) -> Compression:
    for compression, suffix in SUFFIXES.items():
        if path.name.endswith(suffix):
            return compression
    raise UnsafeBackupError(
        f"{path.name} is neither a .tar.gz nor a .tar.zst",
        path=path,
        hint="name the archive of a backup",
    )


# -- opening -------------------------------------------------------------------------------


def open_archive(backup: Backup | Path, *, use_note: bool = True) -> Archive:
    """Open a backup's archive, or any archive by its path, and read its manifest.

    The sidecar, where it is sound, tells the pieces; without it everything is read from the
    front. ``use_note=False`` looks at the archive alone, as for one that was brought from
    elsewhere.

    Raises:
        FileNotFoundError: there is no archive.
        DamagedBackupError: its manifest cannot be read, so nothing can be restored from it.
        UnsafeBackupError: refused; names why.
        UnsupportedStoreError: a later format.
        StoreIOError: the system refused.
    """
    path = backup if isinstance(backup, Path) else backup.path
    pieces = None
    if use_note:
        try:
            note = read_note(path)
            pieces = note.pieces if _is_row(note.pieces) else None
        except (FileNotFoundError, SessionStoreError):
            pieces = None  # the archive alone is enough
    if pieces is not None:
        try:
            return Archive(path, pieces)
        except DamagedBackupError:
            pass  # the first piece alone; perhaps the sidecar is another archive's
    return Archive(path, None)


def _is_row(pieces: tuple[Piece, ...]) -> bool:
    """Whether the pieces lie one behind the other, with members in order."""
    offset, first = 0, -1
    for piece in pieces:
        if piece.offset != offset or piece.size_bytes <= 0 or piece.first <= first:
            return False
        offset, first = offset + piece.size_bytes, piece.first
    return bool(pieces) and pieces[0].first == 0
