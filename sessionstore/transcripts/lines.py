"""Lines of a file by byte offset, from either end, without reading the rest.

A line belongs to the page that its end lies in. Whatever the file holds, one call reads at most
:data:`PAGE_BYTES`: a line longer than that is met as parts without text, so that paging always
gets on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..treefiles import Reader

BLOCK_BYTES = 64 * 1024
PAGE_BYTES = 4 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024
"""A longer line is told with its size, not read out."""


@dataclass(frozen=True, slots=True)
class RawLine:
    """Bytes ``start`` to ``end`` of the file, newline included. ``text`` is without it.

    ``text`` is None for what is not read out: a line over the limit, or ``is_part``, of which one
    end was not met. ``is_ended``: there is a newline; the last line of a file may lack it
    because it is being written.
    """

    start: int
    end: int
    text: bytes | None
    is_ended: bool = True
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive lines, first to last, which are all of the bytes from ``start`` to ``end``."""

    lines: tuple[RawLine, ...]
    start: int
    end: int


def lines_before(reader: Reader, end: int, *, count: int) -> Stretch:
    """The last ``count`` lines that end at or before byte ``end``. Reads blocks backwards."""
    end = min(max(end, 0), reader.size_bytes)
    blocks: list[bytes] = []
    at, newlines = end, 0
    while at > 0 and newlines <= count and end - at < PAGE_BYTES:
        size = min(BLOCK_BYTES, at)
        block = reader.read_at(at - size, size)
        if len(block) < size:  # the file was cut meanwhile
            return Stretch((), at - size, at - size)
        at -= size
        newlines += block.count(b"\n")
        blocks.append(block)
    data = b"".join(reversed(blocks))
    lines = _split(data, at, reader.size_bytes)
    if at > 0 and lines and not _starts_line(reader, at):
        # Its beginning is further up. It comes with the page before, unless there is nothing else.
        lines = lines[1:] or [RawLine(at, end, None, lines[0].is_ended, is_part=True)]
    kept = tuple(lines[-count:])
    return Stretch(kept, kept[0].start if kept else at, end)


def lines_from(reader: Reader, start: int, *, count: int) -> Stretch:
    """The first ``count`` lines that begin at or after byte ``start``."""
    size = reader.size_bytes
    start = min(max(start, 0), size)
    blocks: list[bytes] = []
    at, newlines = start, 0
    while at < size and newlines <= count and at - start < PAGE_BYTES:
        block = reader.read_at(at, min(BLOCK_BYTES, size - at))
        if not block:  # the file was cut meanwhile
            break
        at += len(block)
        newlines += block.count(b"\n")
        blocks.append(block)
    lines = _split(b"".join(blocks), start, size)
    if not lines:
        return Stretch((), start, start)
    if start > 0 and not _starts_line(reader, start):
        lines[0] = replace(lines[0], text=None, is_part=True)
    if lines[-1].is_part and len(lines) > 1:
        lines.pop()  # its end is further down; it begins the page after
    kept = tuple(lines[:count])
    return Stretch(kept, kept[0].start, kept[-1].end)


def line_at(reader: Reader, start: int, end: int) -> RawLine:
    """The one line from ``start`` to ``end``, as an index gave them."""
    if end - start > MAX_LINE_BYTES:
        return RawLine(start, end, None)
    data = reader.read_at(start, end - start)
    return RawLine(start, end, data.removesuffix(b"\n"), data.endswith(b"\n"))


def _starts_line(reader: Reader, at: int) -> bool:
    return reader.read_at(at - 1, 1) == b"\n"


def _split(data: bytes, base: int, size: int) -> list[RawLine]:
    """The lines in ``data``, which was read from byte ``base`` of a file of ``size`` bytes."""
    lines: list[RawLine] = []
    start = 0
    while start < len(data):
        newline = data.find(b"\n", start)
        is_ended = newline >= 0
        end = newline + 1 if is_ended else len(data)
        is_part = not is_ended and base + end < size
        is_read = end - start <= MAX_LINE_BYTES and not is_part
        text = data[start : newline if is_ended else end] if is_read else None
        lines.append(RawLine(base + start, base + end, text, is_ended, is_part))
        start = end
    return lines
