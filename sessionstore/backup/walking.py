"""Reading the members of an archive, piece by piece, in the order of its manifest.

Each header is compared with the one that has to be there. What is damaged costs the rest of its
piece; what no backup of ours has ends the reading.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DamagedBackupError, Finding, SessionStoreError, UnsafeBackupError
from ..treefiles import CHUNK_BYTES, Reader
from .archive import BLOCK, END, header, padding
from .headers import odd_header
from .manifest import NAME, Member
from .packing import Unpacker, make_unpacker
from .shapes import Compression
from .sidecars import Piece
from .untrusted import refused

Sink = Callable[[bytes], object]
"""Gets a member's bytes as they are read, before their digest is known to be right."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One member that was read: sound (``problem`` is None), or what is wrong with it."""

    member: Member
    problem: Finding | None = None


class Pieces:
    """The pieces of one open archive, and the members in them.

    ``told`` are the pieces that a sidecar tells; without them the archive is one piece, read from
    the front.
    """

    def __init__(
        self,
        path: Path,
        file: Reader,
        compression: Compression,
        *,
        told: tuple[Piece, ...] | None,
    ) -> None:
        self.path = path
        self.told = told
        self.members: list[Member] = []
        """All members, the manifest first; set once the manifest has been read."""
        self._file = file
        self._compression = compression

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
            members = self.members[piece.first : last]
            if names is not None and not any(one.name in names for one in members):
                continue
            try:
                yield from self._walk_piece(piece, members, names, sink)
            except UnsafeBackupError as error:
                error.path = error.path or str(self.path)
                raise

    def _spans(self) -> Iterator[tuple[Piece, int]]:
        pieces = self.told or (Piece(0, self._file.size_bytes, "", 0),)
        for number, piece in enumerate(pieces):
            is_last = number == len(pieces) - 1
            yield piece, len(self.members) if is_last else pieces[number + 1].first

    def _walk_piece(
        self,
        piece: Piece,
        members: list[Member],
        names: Collection[str] | None,
        sink: Callable[[Member], Sink | None],
    ) -> Iterator[Checked]:
        unpacker = self.unpacker(piece)
        is_last = piece.offset + piece.size_bytes >= self._end()
        trouble: DamagedBackupError | None = None
        for member in members:
            is_wanted = member.name != NAME and (names is None or member.name in names)
            if trouble is None:
                try:
                    problem = self._read_member(unpacker, member, sink if is_wanted else _nowhere)
                except DamagedBackupError as error:
                    trouble = error
            if trouble is not None:
                problem = self.finding(member, trouble.message)
            if is_wanted:
                yield Checked(member, problem)
        if trouble is None:
            self._check_end(unpacker, members, is_last=is_last)

    def _end(self) -> int:
        if not self.told:
            return self._file.size_bytes
        return self.told[-1].offset + self.told[-1].size_bytes

    def _read_member(
        self, unpacker: Unpacker, member: Member, sink: Callable[[Member], Sink | None]
    ) -> Finding | None:
        block = unpacker.read(BLOCK)
        if block != header(member.name, member.size_bytes):
            raise self.odd(block, member)
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
            return self.finding(member, "has another sha256 than the manifest says")
        return None

    def _check_end(self, unpacker: Unpacker, members: list[Member], *, is_last: bool) -> None:
        """After the last member of a piece nothing may follow but the end of the tar."""
        if is_last and (end := unpacker.read(len(END))) != END:
            raise self.odd(end[:BLOCK], None)
        try:
            more = unpacker.read(1)
        except DamagedBackupError:
            more = b"?"
        if more:
            raise refused("it goes on after its end")

    def raw(self, piece: Piece) -> Iterator[bytes]:
        """A piece's compressed bytes, chunk by chunk."""
        offset, end = piece.offset, piece.offset + piece.size_bytes
        while offset < end:
            chunk = self._file.read_at(offset, min(CHUNK_BYTES, end - offset))
            if not chunk:
                return
            offset += len(chunk)
            yield chunk

    def members_of(self, piece: Piece) -> list[Member]:
        """The members of one of :attr:`pieces`, the manifest included."""
        last = next(last for one, last in self._spans() if one == piece)
        return self.members[piece.first : last]

    def unpacker(self, piece: Piece) -> Unpacker:
        """An unpacker of one piece (or of all that is in these bytes)."""
        offset, end = piece.offset, piece.offset + piece.size_bytes

        def read(size: int) -> bytes:
            nonlocal offset
            chunk = self._file.read_at(offset, min(size, end - offset))
            offset += len(chunk)
            return chunk

        return make_unpacker(self._compression, read)

    def finding(self, member: Member, why: str) -> Finding:
        """What is wrong with a member, for an operator."""
        return Finding(
            "damaged-backup",
            "error",
            member.key,
            str(self.path),
            f"{member.name} in {self.path.name}: {why}",
            "this part cannot be restored from here; the rest can",
        )

    def odd(self, block: bytes, wanted: Member | None) -> SessionStoreError:
        """Why a block is not the header that has to be there."""
        return odd_header(block, wanted, [one.name for one in self.members])


def _nowhere(member: Member) -> None:
    return None
