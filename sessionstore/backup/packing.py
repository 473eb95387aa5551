"""Compressed pieces: what is between the bytes of an archive and its tar.

An archive is a row of *pieces*, each a complete gzip member (or zstd frame), so that standard
tools unpack it as one stream while we can start reading at any piece: damage costs only the
piece it is in, and one session can be read without unpacking everything before it.

Unpacking never gives more than it is asked for: memory stays bounded whatever the ratio is.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import DamagedBackupError, UnsupportedStoreError
from .shapes import Compression

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name, no time: nothing varies
_TRAILER_BYTES = 8
_LEVEL = 4
_CHUNK = 64 * 1024
_WINDOW_LOG = 23  # 8 MiB of memory at most; the level that we write needs 2

Read = Callable[[int], bytes]
"""Up to this many compressed bytes; empty at their end."""


class Packer(Protocol):
    """Compresses one piece."""

    def add(self, data: bytes) -> bytes: ...

    def end(self) -> bytes: ...


class GzipPacker:
    """One gzip member with a fixed header."""

    def __init__(self, *, level: int = _LEVEL) -> None:
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = zlib.crc32(b"")
        self._size = 0
        self._begun = False

    def add(self, data: bytes) -> bytes:
        """Compressed bytes that are ready by now."""
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        head = b"" if self._begun else GZIP_HEADER
        self._begun = True
        return head + self._deflate.compress(data)

    def end(self) -> bytes:
        """The rest of them."""
        trailer = self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")
        return self._deflate.flush() + trailer


class ZstdPacker:
    """One zstd frame with a checksum."""

    def __init__(self) -> None:
        module = _zstd()
        if hasattr(module, "CompressionParameter"):  # the standard library's, from 3.14
            flag = {module.CompressionParameter.checksum_flag: 1}
            self._frame: Any = module.ZstdCompressor(options=flag)
        else:
            self._frame = module.ZstdCompressor(write_checksum=True).compressobj()

    def add(self, data: bytes) -> bytes:
        """Compressed bytes that are ready by now."""
        packed: bytes = self._frame.compress(data)
        return packed

    def end(self) -> bytes:
        """The rest of them."""
        packed: bytes = self._frame.flush()
        return packed


class Unpacker(Protocol):
    """Gives the content of pieces; ``sound_pieces`` of them came to their end, checksum and all."""

    sound_pieces: int

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes, fewer only at the end of the last piece.

        Raises:
            DamagedBackupError: the compressed bytes are not as they were written.
        """


class GzipUnpacker:
    """Reads gzip members, one after the other, with exactly the header that we write."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._held = b""
        self._inflate: zlib._Decompress | None = None
        self.sound_pieces = 0

    def read(self, size: int) -> bytes:
        """See :class:`Unpacker`."""
        parts: list[bytes] = []
        while size > 0 and (part := self._some(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _some(self, size: int) -> bytes:
        while True:
            if self._inflate is None and not self._begin():
                return b""
            assert self._inflate is not None
            if not self._held:
                self._held = self._read(_CHUNK)
            is_last = not self._held
            try:
                part = self._inflate.decompress(self._held, size)
            except zlib.error as error:
                raise _damaged(f"cannot be unpacked ({_reason(error)})") from error
            if is_last and not part and not self._inflate.eof:
                raise _damaged("ends in the middle of a piece")
            self._held = self._inflate.unconsumed_tail
            if self._inflate.eof:
                self._held = self._inflate.unused_data
                self._inflate = None
                self.sound_pieces += 1
            if part:
                return part

    def _begin(self) -> bool:
        while len(self._held) < len(GZIP_HEADER) and (more := self._read(_CHUNK)):
            self._held += more
        if not self._held:
            return False
        if not self._held.startswith(GZIP_HEADER):
            raise _damaged("has bytes that begin no piece")
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return True


class ZstdUnpacker:
    """Reads zstd frames, one after the other."""

    def __init__(self, read: Read) -> None:
        module = _zstd()
        self.sound_pieces = 0  # the library does not tell
        self._errors: tuple[type[Exception], ...] = (module.ZstdError, EOFError)
        if hasattr(module, "CompressionParameter"):
            limit = {module.DecompressionParameter.window_log_max: _WINDOW_LOG}
            self._stream: Any = module.ZstdFile(_Source(read), "rb", options=limit)
        else:
            unpacker = module.ZstdDecompressor(max_window_size=1 << _WINDOW_LOG)
            self._stream = unpacker.stream_reader(_Source(read), read_across_frames=True)

    def read(self, size: int) -> bytes:
        """See :class:`Unpacker`."""
        parts: list[bytes] = []
        try:
            while size > 0 and (part := self._stream.read(min(size, 1 << 20))):
                parts.append(part)
                size -= len(part)
        except self._errors as error:
            raise _damaged(f"cannot be unpacked ({_reason(error)})") from error
        return b"".join(parts)


class _Source:
    """What the zstd readers want of a file."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def read(self, size: int = -1) -> bytes:
        return self._read(size if size > 0 else _CHUNK)


def make_packer(compression: Compression, *, plain: bool = False) -> Packer:
    """A packer of one piece; ``plain`` stores the bytes uncompressed (gzip only)."""
    if compression == "zstd":
        return ZstdPacker()
    return GzipPacker(level=0 if plain else _LEVEL)


def make_unpacker(compression: Compression, read: Read) -> Unpacker:
    """An unpacker of all pieces that ``read`` gives."""
    return ZstdUnpacker(read) if compression == "zstd" else GzipUnpacker(read)


def has_zstd() -> bool:
    """Whether zstd can be used here."""
    return _zstd_or_none() is not None


def _zstd() -> Any:
    module = _zstd_or_none()
    if module is None:
        raise UnsupportedStoreError(
            "zstd is not installed, so .tar.zst archives can neither be written nor read",
            hint="install the package zstandard, or use gzip",
        )
    return module


def _zstd_or_none() -> Any:
    for name in ("compression.zstd", "zstandard"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def _damaged(why: str) -> DamagedBackupError:
    return DamagedBackupError(why, hint="restore what can be read, and keep another backup")


def _reason(error: Exception) -> str:
    return str(error).partition(": ")[2] or str(error) or type(error).__name__
