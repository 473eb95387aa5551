"""What a transcript is, from its two ends: header, when it was last written, how many lines.

Reads at most :data:`ENDS_BYTES` from each end; a small file is counted whole.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..entries import Entry, NotAnEntryError, decode
from ..paths import StorePaths
from ..treefiles import Reader
from .opening import open_transcript

ENDS_BYTES = 64 * 1024
COUNTED_BYTES = 4 * 1024 * 1024
"""Lines of a file up to this size are counted, of larger ones estimated."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and ends of a transcript. ``header`` is its first line where that is one.

    ``odd`` says what is wrong with the first line: ``empty``, ``no-header`` (another kind of
    line, as after a truncation), ``damaged`` or ``long``. ``last_at`` is the timestamp of the
    last whole line as written, ``last_type`` its type. ``lines`` is exact or estimated from the
    ends, None where no line ends in them. ``is_unfinished``: the last line has no end yet.
    """

    size_bytes: int
    modified_at_ms: int
    mode: int
    links: int
    header: Entry | None
    odd: str
    last_at: str
    last_type: str
    lines: int | None
    lines_are_exact: bool
    is_unfinished: bool


def look_inside(paths: StorePaths, place: Path) -> Head:
    """Read the ends of a transcript.

    Raises:
        FileNotFoundError, UnsafeFileError, StoreIOError: as :func:`open_transcript`.
    """
    with open_transcript(paths, place) as reader:
        size = reader.size_bytes
        first = reader.read_at(0, ENDS_BYTES)
        tail = reader.read_at(max(0, size - ENDS_BYTES), ENDS_BYTES)
        header, odd = _header(first, size)
        last = _last(tail, size)
        lines, exact = _count(reader, first, tail)
        status = reader.status
    return Head(
        size_bytes=size,
        modified_at_ms=status.st_mtime_ns // 1_000_000,
        mode=stat.S_IMODE(status.st_mode),
        links=status.st_nlink,
        header=header,
        odd=odd,
        last_at=_text(last, "timestamp"),
        last_type=_text(last, "type"),
        lines=lines,
        lines_are_exact=exact,
        is_unfinished=size > 0 and not tail.endswith(b"\n"),
    )


def _header(first: bytes, size: int) -> tuple[Entry | None, str]:
    if not first.strip():
        return None, "empty" if size <= len(first) else "long"
    line, newline, _ = first.partition(b"\n")
    if not newline and size > len(first):
        return None, "long"
    try:
        header = decode(line)
    except NotAnEntryError:
        return None, "damaged"
    return (header, "") if header.get("type") == "session" else (None, "no-header")


def _last(tail: bytes, size: int) -> dict[str, Any]:
    """The last whole line; nothing where it is damaged or longer than what was read."""
    lines = tail.rpartition(b"\n")[0].split(b"\n")
    if len(lines) < 2 and size > len(tail):
        return {}
    try:
        return decode(lines[-1])
    except NotAnEntryError:
        return {}


def _text(line: dict[str, Any], name: str) -> str:
    value = line.get(name)
    return value if isinstance(value, str) else ""


def _count(reader: Reader, first: bytes, tail: bytes) -> tuple[int | None, bool]:
    size = reader.size_bytes
    if size <= COUNTED_BYTES:
        data = first if size <= len(first) else reader.read_at(0, COUNTED_BYTES)
        return data.count(b"\n") + (1 if data and not data.endswith(b"\n") else 0), True
    seen = first.count(b"\n") + tail.count(b"\n")
    return (round(size * seen / (len(first) + len(tail))), False) if seen else (None, False)
