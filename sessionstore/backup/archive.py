"""Writing an archive: a plain tar of files, compressed in pieces, the manifest first.

Everything is read once: members are compressed and hashed as they come, and what was hashed is
what was written. Then the manifest is written before them. Headers are plain ``ustar`` ones that
depend on name and size only, so a reader can compare them byte for byte and needs to understand
no other (``reading``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from ..files import FILE_MODE
from ..treefiles import CHUNK_BYTES, Reader, WorkFolder, Writer
from . import manifest as manifests
from .manifest import MAX_MEMBER_BYTES, Manifest, Member
from .packing import Packer, make_packer
from .shapes import Compression
from .sidecars import Piece

BLOCK = 512
_NAME_BYTES = 100
_OWNER = b"%07o\0" % FILE_MODE + b"0000000\0" * 2
_TIME = b"0" * 11 + b"\0"
_KIND = b"0" + bytes(100) + b"ustar\x0000" + bytes(32) + bytes(32) + b"0000000\0" * 2
_FIXED_SUM = sum(_OWNER) + sum(_TIME) + sum(_KIND) + 8 * ord(" ")
END = bytes(2 * BLOCK)
_MOST_PIECES = 512
_LEAST_PIECE_BYTES = 1 << 20


def header(name: str, size: int) -> bytes:
    """The one tar header that a member of this name and size has.

    Built here and not by ``tarfile``, whose headers differ between versions of Python.

    Raises:
        ValueError: the name or the size does not fit.
    """
    folder, _, last = name.rpartition("/")
    if len(name) <= _NAME_BYTES:
        folder, last = "", name
    if len(last) > _NAME_BYTES or size > MAX_MEMBER_BYTES:
        raise ValueError(f"{name[:120]!r} with {size:,} bytes fits no plain header")
    ends, begins, length = last.encode("ascii"), folder.encode("ascii"), b"%011o" % size
    checksum = b"%06o\0 " % (_FIXED_SUM + sum(ends) + sum(begins) + sum(length))
    name_field = ends.ljust(_NAME_BYTES, b"\0")
    return (name_field + _OWNER + length + b"\0" + _TIME + checksum + _KIND + begins).ljust(
        BLOCK, b"\0"
    )


def padding(size: int) -> bytes:
    """What follows a member's bytes up to the next block."""
    return bytes(-size % BLOCK)


def tar_bytes(size: int) -> int:
    """What a member of this size takes in the tar."""
    return BLOCK + size + -size % BLOCK


class ArchiveWriter:
    """Writes one archive into a work folder; nothing has its final name yet."""

    def __init__(
        self,
        folder: WorkFolder,
        compression: Compression,
        *,
        expected_bytes: int,
        plain: bool = False,
    ) -> None:
        """``expected_bytes`` of content decide the size of pieces: at most about 500 of them, so
        that the sidecar stays small."""
        self._folder = folder
        self._compression = compression
        self._plain = plain
        self._piece_bytes = max(_LEAST_PIECE_BYTES, expected_bytes // _MOST_PIECES)
        self._file = Writer("members", dir_fd=folder.fd, path=folder.path / "members")
        self._pieces: list[Piece] = []
        self._open: _OpenPiece | None = None
        self._count = 0

    def add(self, name: str, data: bytes) -> Member:
        """Add one member that is in memory."""
        piece = self._piece()
        piece.add(header(name, len(data)) + data + padding(len(data)))
        return Member(name, len(data), hashlib.sha256(data).hexdigest())

    def add_stream(self, name: str, size: int, chunks: Iterable[bytes]) -> Member:
        """Add one member of exactly ``size`` bytes.

        Raises:
            ValueError: the chunks gave another number of bytes; the archive is of no use then.
            StoreIOError: the disk is full, or another refusal.
        """
        piece = self._piece()
        digest = hashlib.sha256()
        piece.add(header(name, size))
        left = size
        for chunk in chunks:
            digest.update(chunk)
            piece.add(chunk)
            left -= len(chunk)
        if left:
            raise ValueError(f"{name} has {size - left} bytes, not {size}")
        piece.add(padding(size))
        return Member(name, size, digest.hexdigest())

    def finish(self, manifest: Manifest, name: str) -> tuple[int, str, tuple[Piece, ...]]:
        """Write the archive as ``name`` into the work folder, synced.

        Returns its size, its sha256 and its pieces.
        """
        if self._open is None:
            self._open = self._begin(self._count + 1)
        self._open.add(END)
        self._close_piece()
        self._file.close()
        data = manifests.encode(manifest)
        with Writer(name, dir_fd=self._folder.fd, path=self._folder.path / name) as target:
            whole = _Hashed(target)
            first = _OpenPiece(whole, make_packer(self._compression), 0, 0)
            for part in (header(manifests.NAME, len(data)), data, padding(len(data))):
                first.add(part)
            head = first.close()
            with Reader("members", dir_fd=self._folder.fd) as members:
                offset = 0
                while chunk := members.read_at(offset, CHUNK_BYTES):
                    whole.write(chunk)
                    offset += len(chunk)
            target.sync()
        pieces = [
            head,
            *(replace(one, offset=one.offset + head.size_bytes) for one in self._pieces),
        ]
        return target.size_bytes, whole.digest.hexdigest(), tuple(pieces)

    def close(self) -> None:
        """Let go of descriptors; the work folder's owner removes the files."""
        self._file.close()

    def _piece(self) -> _OpenPiece:
        """The piece that the next member goes to."""
        if self._open is not None and self._open.content_bytes >= self._piece_bytes:
            self._close_piece()
        self._count += 1
        if self._open is None:
            self._open = self._begin(self._count)
        return self._open

    def _begin(self, first: int) -> _OpenPiece:
        packer = make_packer(self._compression, plain=self._plain)
        return _OpenPiece(self._file, packer, self._file.size_bytes, first)

    def _close_piece(self) -> None:
        assert self._open is not None
        self._pieces.append(self._open.close())
        self._open = None


class _Hashed:
    """A writer that keeps the digest of all it was given."""

    def __init__(self, target: Writer) -> None:
        self._target = target
        self.digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        self.digest.update(chunk)
        self._target.write(chunk)


class _OpenPiece:
    """A piece that is being written."""

    def __init__(self, target: Writer | _Hashed, packer: Packer, offset: int, first: int) -> None:
        self._target = target
        self._packer = packer
        self._offset = offset
        self._first = first
        self._digest = hashlib.sha256()
        self._size = 0
        self.content_bytes = 0

    def add(self, data: bytes) -> None:
        self.content_bytes += len(data)
        self._write(self._packer.add(data))

    def close(self) -> Piece:
        self._write(self._packer.end())
        return Piece(self._offset, self._size, self._digest.hexdigest(), self._first)

    def _write(self, packed: bytes) -> None:
        if packed:
            self._digest.update(packed)
            self._size += len(packed)
            self._target.write(packed)
