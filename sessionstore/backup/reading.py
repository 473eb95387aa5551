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
from ..treefiles import CHUNK_BYTES, Reader
from . import manifest as manifests
from .archive import BLOCK, END, header, padding
from .headers import claimed_size, odd_header
from .manifest import Manifest, Member
from .packing import Unpacker, make_unpacker
from .shapes import Backup, BackupSession, Compression
from .sidecars import SUFFIXES, Piece, read_note
from .untrusted import check_claims, decode, entry_bytes, refused

Sink = Callable[[bytes], object]
"""Gets a member's bytes as they are read, before their digest is known to be right."""

MAX_ENTRY_BYTES = 8 * DEFAULT_MAX_BYTES
"""An entry is read into memory; a store may have been opened with a larger limit than usual."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One member that was read: sound (``problem`` is None), or what is wrong with it."""

    member: Member
    problem: Finding | None = None


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
        self._pieces = pieces
        self._members: list[Member] = []
        try:
            self.manifest, self._manifest_bytes = self._read_manifest()
        except BaseException:
            self._file.close()
            raise
        whole = hashlib.sha256(self._manifest_bytes).hexdigest()
        first = Member(manifests.NAME, len(self._manifest_bytes), whole, "the manifest")
        self._members = [first, *self.manifest.members()]

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
                problem = self._finding(checked.member, f"has {session.size_bytes:,} bytes")
                yield ReadEntry(session, None, problem)
            elif checked.problem is not None:
                yield ReadEntry(session, None, checked.problem)
            else:
                yield self._entry(session, checked.member, b"".join(held))

    def _entry(self, session: BackupSession, member: Member, data: bytes) -> ReadEntry:
        try:
            return ReadEntry(session, entry_bytes(session, data))
        except DamagedBackupError as error:
            return ReadEntry(session, None, self._finding(member, error.message))

    def walk(
        self,
        names: Collection[str] | None = None,
        sink: Callable[[Member], Sink | None] = lambda member: None,
    ) -> Iterator[Checked]:
        """Read the named members (None: all but the manifest), each once, in order.

        ``sink`` says where a member's bytes go. Pieces that hold nothing wanted are not read
        where the sidecar tells the pieces; a damaged piece then costs only its own members.

        Raises:
            UnsafeBackupError: something is in it that no backup of ours has.
        """
        for piece, last in self._spans():
            members = self._members[piece.first : last]
            if names is not None and not any(one.name in names for one in members):
                continue
            yield from self._walk_piece(piece, members, names, sink)

    def _spans(self) -> Iterator[tuple[Piece, int]]:
        pieces = self._pieces or (Piece(0, self.size_bytes, "", 0),)
        for number, piece in enumerate(pieces):
            is_last = number == len(pieces) - 1
            yield piece, len(self._members) if is_last else pieces[number + 1].first

    def _walk_piece(
        self,
        piece: Piece,
        members: list[Member],
        names: Collection[str] | None,
        sink: Callable[[Member], Sink | None],
    ) -> Iterator[Checked]:
        unpacker = self._unpacker(piece)
        is_last = piece.offset + piece.size_bytes >= self._end()
        trouble: DamagedBackupError | None = None
        for member in members:
            is_wanted = member.name != manifests.NAME and (names is None or member.name in names)
            if trouble is None:
                try:
                    problem = self._read_member(unpacker, member, sink if is_wanted else _nowhere)
                except DamagedBackupError as error:
                    trouble = error
            if trouble is not None:
                problem = self._finding(member, trouble.message)
            if is_wanted:
                yield Checked(member, problem)
        if trouble is None:
            self._check_end(unpacker, members, is_last=is_last)

    def _end(self) -> int:
        if not self._pieces:
            return self.size_bytes
        return self._pieces[-1].offset + self._pieces[-1].size_bytes

    def _read_member(
        self, unpacker: Unpacker, member: Member, sink: Callable[[Member], Sink | None]
    ) -> Finding | None:
        block = unpacker.read(BLOCK)
        if block != header(member.name, member.size_bytes):
            raise self._odd(block, member)
        digest = hashlib.sha256()
        give = sink(member)
        left = member.size_bytes
        while left:
            chunk = unpacker.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise DamagedBackupError("ends in the middle of a member")
            digest.update(chunk)
            if give is not None:
                give(chunk)
            left -= len(chunk)
        rest = padding(member.size_bytes)
        if unpacker.read(len(rest)) != rest:
            raise DamagedBackupError("has bytes between its members")
        if digest.hexdigest() != member.sha256:
            return self._finding(member, "has another sha256 than the manifest says")
        return None

    def _check_end(self, unpacker: Unpacker, members: list[Member], *, is_last: bool) -> None:
        """After the last member of a piece nothing may follow but the end of the tar."""
        if is_last and (end := unpacker.read(len(END))) != END:
            raise self._odd(end[:BLOCK], None)
        try:
            more = unpacker.read(1)
        except DamagedBackupError:
            more = b"?"
        if more:
            raise refused("it goes on after its end")

    # -- how it is read ----------------------------------------------------------------

    def raw(self, piece: Piece) -> Iterator[bytes]:
        """A piece's compressed bytes, chunk by chunk."""
        offset, end = piece.offset, piece.offset + piece.size_bytes
        while offset < end:
            chunk = self._file.read_at(offset, min(CHUNK_BYTES, end - offset))
            if not chunk:
                return
            offset += len(chunk)
            yield chunk

    @property
    def pieces(self) -> tuple[Piece, ...] | None:
        """The pieces that the sidecar told; None without a sidecar."""
        return self._pieces

    def members_of(self, piece: Piece) -> list[Member]:
        """The members of one of :attr:`pieces`, the manifest included."""
        last = next(last for one, last in self._spans() if one == piece)
        return self._members[piece.first : last]

    def _unpacker(self, piece: Piece) -> Unpacker:
        offset, end = piece.offset, piece.offset + piece.size_bytes

        def read(size: int) -> bytes:
            nonlocal offset
            chunk = self._file.read_at(offset, min(size, end - offset))
            offset += len(chunk)
            return chunk

        return make_unpacker(self.compression, read)

    def _read_manifest(self) -> tuple[Manifest, bytes]:
        first = Piece(0, self.size_bytes, "", 0) if not self._pieces else self._pieces[0]
        try:
            unpacker = self._unpacker(first)
            block = unpacker.read(BLOCK)
            size = claimed_size(block)
            if block != header(manifests.NAME, size):
                raise self._odd(block, Member(manifests.NAME, size, ""))
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
        if self._pieces and len(self._pieces) > 1 and rest.strip(b"\0"):
            raise DamagedBackupError("has bytes behind its manifest")

    def _placed(self, error: SessionStoreError) -> SessionStoreError:
        error.path = str(self.path)
        if isinstance(error, DamagedBackupError):
            error.message = f"{self.path.name}: the manifest cannot be read: it {error.message}"
            error.hint = "nothing of it can be restored; use another backup"
        return error

    def _finding(self, member: Member, why: str) -> Finding:
        return Finding(
            "damaged-backup",
            "error",
            member.key,
            str(self.path),
            f"{member.name} in {self.path.name}: {why}",
            "this part cannot be restored from here; the rest can",
        )

    def _odd(self, block: bytes, wanted: Member | None) -> SessionStoreError:
        return odd_header(block, wanted, [one.name for one in self._members])


def _forget(chunk: bytes) -> None:
    return None


def _nowhere(member: Member) -> None:
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
