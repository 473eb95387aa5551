"""What is in the files of ``stats/``, sound or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from .records import (
    BAD_PAYLOAD,
    FRAME,
    SOURCES_MAGIC,
    VERSION,
    DamagedError,
    Name,
    Process,
    Window,
    decoder,
    encoder,
    frame_of,
    frames_in,
)

_LONGEST_MS = 72 * 3_600_000
_sources_decoder = msgspec.msgpack.Decoder(Annotated[list[Name], Meta(max_length=100_000)])

HEAD_BYTES = FRAME.size
AHEAD_MS = 24 * 3_600_000
"""How far a writer's clock may be ahead: what ends later is refused."""


def pack_sources(sources: list[str]) -> bytes:
    """The first frame of a file that was made of others, by :func:`identity_of`."""
    return frame_of(encoder.encode(sources), magic=SOURCES_MAGIC)


MOST_HEADER_BYTES = 1 << 20


def sources_in(head: bytes) -> list[str]:
    """The sources that the first frame names; none where it is another, or damaged."""
    try:
        for magic, payload, _ in frames_in(head):
            return _sources_decoder.decode(payload) if magic == SOURCES_MAGIC else []
    except (DamagedError, *BAD_PAYLOAD):
        pass
    return []


def identity_of(name: str, head: bytes) -> str:
    """What a file is called as a source: its name may be used again, with another first frame."""
    return f"{name}:{head[:HEAD_BYTES].hex()}"


@dataclass(slots=True)
class Report:
    """One sound frame: the window's times, and its bytes to decode when it is looked at."""

    covered_from_ms: int
    from_ms: int
    until_ms: int
    payload: bytes

    def window(self) -> Window:
        """Decode it: some 50 µs."""
        return decoder.decode(self.payload)


@dataclass(slots=True)
class Scan:
    """What is in the bytes of one file.

    ``end`` is the offset behind the last whole frame; what follows may still be being written.
    ``refused`` counts frames that cannot be used; ``is_damaged`` says that nothing can be read
    from ``end`` on, which counts as one; ``ahead`` counts those that lie in the future.
    ``sources`` are identities of files that this one replaces.
    """

    reports: list[Report] = field(default_factory=list)
    head: bytes = b""
    processes: dict[Process, int] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    end: int = 0
    refused: int = 0
    ahead: int = 0
    is_damaged: bool = False


def scan(data: bytes, *, latest_ms: int) -> Scan:
    """Read frames; what ends after ``latest_ms`` is refused. Some 60 µs per frame."""
    found = Scan(head=data[:HEAD_BYTES])
    try:
        for magic, payload, found.end in frames_in(data):
            try:
                if magic == SOURCES_MAGIC:
                    found.sources.extend(_sources_decoder.decode(payload))
                else:
                    _take(found, decoder.decode(payload), payload, latest_ms)
            except BAD_PAYLOAD:
                found.refused += 1
    except DamagedError:
        found.refused += 1
        found.is_damaged = True
    return found


def _take(found: Scan, window: Window, payload: bytes, latest_ms: int) -> None:
    start, end = window.from_ms, window.until_ms
    is_ahead = end > latest_ms
    is_in_order = window.covered_from_ms <= start <= end and end - start <= _LONGEST_MS
    if window.version != VERSION or is_ahead or not is_in_order:
        found.refused += 1
        found.ahead += is_ahead
        return
    found.reports.append(Report(window.covered_from_ms, start, end, payload))
    for process in window.processes:
        found.processes[process] = max(found.processes.get(process, 0), end)
