"""What a process reports of its updates: one :class:`Window` every few seconds.

On disk a window is a frame of ``<sidecar>/stats/*.windows`` (docs/format.md): magic, length and
CRC-32 of the payload as three 32-bit little-endian numbers, then the window as MessagePack. A
frame that is cut or damaged ends what is read of its file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Literal

import msgspec

from .histograms import Histogram

VERSION = 1
FOLDER = "stats"
SUFFIX = ".windows"

Phase = Literal["queue", "lock", "read", "merge", "serialise", "write", "sync", "rename"]
PHASES: tuple[Phase, ...] = (
    "queue",
    "lock",
    "read",
    "merge",
    "serialise",
    "write",
    "sync",
    "rename",
)
WAIT, HOLD, WRITE = "wait", "hold", "whole_write"
WRITTEN, CHANGED = "written_bytes", "changed_bytes"
SERIES: tuple[str, ...] = (WAIT, HOLD, WRITE, WRITTEN, CHANGED, *PHASES)
"""Names of histograms: nanoseconds, but bytes for those that end in ``_bytes``.

``wait`` is from asking for the lock to having it, the time in line behind other calls of the
process included; an update that timed out counts as at least its limit. ``hold`` is from there
to just before it is given back. ``whole_write`` is the part of ``hold`` that replaces the file,
of updates that did: the phases write, sync and rename together.

``written_bytes`` is what went to the disk: one entry's file, in the legacy layout the whole store.
``changed_bytes`` is what the caller asked to change: of a patch the encodings of the named fields
that differ, of any other update, and of a new entry, the entry. Their ratio is the amplification.

Phases are disjoint. ``queue`` and ``lock`` are ``wait``: in memory behind threads of this process,
then for the kernel (and in the legacy layout for OpenClaw's lock file, which passes while the
store is held already). ``read`` and ``merge`` are of every update that got so far; where nothing
was written ``merge`` is all that the update computed. A removal is a ``rename`` alone.
"""

_MAGIC = 0x3157_5353  # "SSW1"
_FRAME = struct.Struct("<III")
MOST_FRAME_BYTES = 16 << 20


class Labels(msgspec.Struct, frozen=True, array_like=True):
    """What is counted apart. No session key: those are in :class:`HotSession` only."""

    operation: str
    outcome: str
    scope: str
    layout: str


class Group(msgspec.Struct, array_like=True):
    """Updates with the same labels. ``series`` has histograms by name (:data:`SERIES`)."""

    labels: Labels
    count: int = 0
    contended: int = 0
    series: dict[str, Histogram] = {}


class HotSession(msgspec.Struct, array_like=True):
    """One of the sessions that cost most in a window.

    The sums may be too large by what another session left when it was replaced (space-saving):
    by at most ``over_count`` updates; 0 means exact.
    """

    key: str
    count: int = 0
    contended: int = 0
    wait_ns: int = 0
    hold_ns: int = 0
    written_bytes: int = 0
    over_count: int = 0


class KeptWrite(msgspec.Struct, array_like=True):
    """One update that is kept as an example: the slowest and the latest of a window."""

    at_ms: int
    key: str
    operation: str
    outcome: str
    layout: str
    wait_ns: int
    hold_ns: int
    write_ns: int
    written_bytes: int
    changed_bytes: int
    pid: int
    host: str
    program: str


class Process(msgspec.Struct, frozen=True, array_like=True):
    """Who reported."""

    host: str
    pid: int
    start: int
    program: str


class Window(msgspec.Struct, array_like=True):
    """Everything that processes did with one store between two times (epoch ms, end excluded).

    ``covered_from_ms`` is at most ``from_ms``: since then the reporter was there, and did nothing
    before ``from_ms``. ``counters`` are sums without labels, by name: ``dropped``,
    ``reclaims:<reason>``, ``conflicts:<operation>:<resolution>``. ``reads`` are histograms of
    nanoseconds by operation.
    """

    version: int
    covered_from_ms: int
    from_ms: int
    until_ms: int
    processes: list[Process] = []
    groups: list[Group] = []
    sessions: list[HotSession] = []
    writes: list[KeptWrite] = []
    reads: dict[str, Histogram] = {}
    counters: dict[str, int] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Window)


def pack_frame(window: Window) -> bytes:
    """One frame. About 1 to 8 KB."""
    payload = _encoder.encode(window)
    return _FRAME.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload


def unpack_frames(data: bytes) -> Iterator[tuple[int, Window]]:
    """Each whole frame, with the offset behind it; ends at the first that is cut or damaged.

    A frame of a later version is passed over.
    """
    at = 0
    while len(data) - at >= _FRAME.size:
        magic, length, checksum = _FRAME.unpack_from(data, at)
        end = at + _FRAME.size + length
        if magic != _MAGIC or length > MOST_FRAME_BYTES or end > len(data):
            return
        payload = data[at + _FRAME.size : end]
        if zlib.crc32(payload) != checksum:
            return
        try:
            window = _decoder.decode(payload)
        except (msgspec.ValidationError, msgspec.DecodeError):
            return
        at = end
        if window.version == VERSION:
            yield at, window
