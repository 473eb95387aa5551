"""What a process reports of its updates: one :class:`Window` every few seconds.

On disk a window is a frame of ``<sidecar>/stats/*.windows`` (docs/format.md): magic, length and
CRC-32 of the payload as three 32-bit little-endian numbers, then the window as MessagePack. A
file that was made of others begins with a frame of another magic, which names them.

The limits in the types are what a reader accepts, as whoever can write to the folder can put
anything there. Writers cut what is longer.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from .histograms import Histogram, Number

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

MAGIC = 0x3157_5353  # "SSW1"
SOURCES_MAGIC = 0x3153_5353  # "SSS1"
FRAME = struct.Struct("<III")
MOST_FRAME_BYTES = 4 << 20

MOST_PROCESSES, MOST_GROUPS, MOST_SESSIONS, MOST_WRITES = 512, 2048, 1024, 1024
MOST_SERIES, MOST_READS, MOST_COUNTERS = 32, 128, 512
SESSIONS_BY_COUNT = 16

Word = Annotated[str, Meta(max_length=128)]
Name = Annotated[str, Meta(max_length=1024)]
Key = Annotated[str, Meta(max_length=4096)]
Time = Annotated[int, Meta(ge=0, le=4_102_444_800_000)]  # until 2100


class Labels(msgspec.Struct, frozen=True, array_like=True):
    """What is counted apart. No session key: those are in :class:`HotSession` only."""

    operation: Word
    outcome: Word
    scope: Word
    layout: Word


class Group(msgspec.Struct, array_like=True):
    """Updates with the same labels. ``series`` has histograms by name (:data:`SERIES`).

    ``estimated`` of them had no look at their phases: those that had stand for them as well. The
    phases ``queue``, ``lock`` and ``sync``, and everything that is no phase, are of all.
    """

    labels: Labels
    count: Number = 0
    contended: Number = 0
    series: Annotated[dict[Word, Histogram], Meta(max_length=MOST_SERIES)] = {}
    estimated: Number = 0


class HotSession(msgspec.Struct, array_like=True):
    """One of the sessions that cost most in a window.

    The sums may be too large by what another session left when it was replaced (space-saving):
    by at most ``over_count`` updates; 0 means exact. A window lists all its sessions, or at least
    the :data:`SESSIONS_BY_COUNT` with the most updates, so that sums of windows keep that promise.

    ``estimated`` of its updates had no look at their costs: ``hold_ns`` and ``written_bytes`` have
    those of others in their place, and may be off either way. 0 means none.
    """

    key: Key
    count: Number = 0
    contended: Number = 0
    wait_ns: Number = 0
    hold_ns: Number = 0
    written_bytes: Number = 0
    over_count: Number = 0
    estimated: Number = 0


class KeptWrite(msgspec.Struct, array_like=True):
    """One update that is kept as an example: the slowest and the latest of a window."""

    at_ms: Time
    key: Key
    operation: Word
    outcome: Word
    layout: Word
    wait_ns: Number
    hold_ns: Number
    write_ns: Number
    written_bytes: Number
    changed_bytes: Number
    pid: Number
    host: Name
    program: Name


class Process(msgspec.Struct, frozen=True, array_like=True):
    """Who reported."""

    host: Name
    pid: Number
    start: Number
    program: Name


class Window(msgspec.Struct, array_like=True):
    """Everything that processes did with one store between two times (epoch ms, end excluded).

    ``covered_from_ms`` is at most ``from_ms``: since then the reporter was there, and did nothing
    before ``from_ms``. ``counters`` are sums without labels, by name: ``dropped``,
    ``reclaims:<reason>``, ``conflicts:<operation>:<resolution>``. ``reads`` are histograms of
    nanoseconds by operation.
    """

    version: Number
    covered_from_ms: Time
    from_ms: Time
    until_ms: Time
    processes: Annotated[list[Process], Meta(max_length=MOST_PROCESSES)] = []
    groups: Annotated[list[Group], Meta(max_length=MOST_GROUPS)] = []
    sessions: Annotated[list[HotSession], Meta(max_length=MOST_SESSIONS)] = []
    writes: Annotated[list[KeptWrite], Meta(max_length=MOST_WRITES)] = []
    reads: Annotated[dict[Word, Histogram], Meta(max_length=MOST_READS)] = {}
    counters: Annotated[dict[Name, Number], Meta(max_length=MOST_COUNTERS)] = {}


encoder = msgspec.msgpack.Encoder()
decoder = msgspec.msgpack.Decoder(Window)
BAD_PAYLOAD = (msgspec.ValidationError, msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def pack_frame(window: Window) -> bytes:
    """One frame. About 1 to 8 KB."""
    return frame_of(encoder.encode(window))


def frame_of(payload: bytes, *, magic: int = MAGIC) -> bytes:
    """A frame around a payload."""
    return FRAME.pack(magic, len(payload), zlib.crc32(payload)) + payload


class DamagedError(ValueError):
    """From here on nothing of a file can be read."""


def frames_in(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Magic, payload and end of each whole frame; a cut one at the end is left.

    Raises:
        DamagedError: what follows is no frame.
    """
    at = 0
    while len(data) - at >= FRAME.size:
        magic, length, checksum = FRAME.unpack_from(data, at)
        start, end = at + FRAME.size, at + FRAME.size + length
        if magic not in (MAGIC, SOURCES_MAGIC) or length > MOST_FRAME_BYTES:
            raise DamagedError
        if end > len(data):
            return  # being written, or its writer was killed: nobody has counted on it
        payload = data[start:end]
        if zlib.crc32(payload) != checksum:
            raise DamagedError
        yield magic, payload, end
        at = end


def unpack_frames(data: bytes) -> Iterator[tuple[int, Window]]:
    """Each sound window, with the offset behind its frame; ends where nothing can be read.

    A frame of another version, or one that no writer would make, is passed over.
    """
    try:
        for magic, payload, end in frames_in(data):
            if magic == MAGIC:
                try:
                    window = decoder.decode(payload)
                except BAD_PAYLOAD:
                    continue
                if window.version == VERSION:
                    yield end, window
    except DamagedError:
        return
