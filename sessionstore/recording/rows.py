"""What an update leaves behind while it runs: a row of stamps, and nothing else.

Two forms. An update that found its lock free and wrote without syncing, which is nearly every
one, is *plain*: ten values at the end of a list of its operation. All others are an
:class:`Update` each; they have waited, or did not write, so a microsecond more is no matter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .records import Labels

PLAIN = ("key", "asked", "acquired", "read", "merged", "started", "staged", "ended")
"""Stamps of ``perf_counter_ns``, after the key; then the bytes written and changed."""
PLAIN_WIDTH = len(PLAIN) + 2
BATCH = 256
PLAIN_FULL = BATCH * PLAIN_WIDTH

PlainRow = tuple[str, int, int, int, int, int, int, int, int, int]
PlainRows = list[Any]
"""Rows one after another, so that appending one is one call that no thread sees half done."""

ABSENT = -1
"""In place of a phase that an update did not have."""


class Update(NamedTuple):
    """One update that was not plain, or one hold of the whole store.

    ``phases`` are nanoseconds in the order of ``records.PHASES``, :data:`ABSENT` where there was
    none. ``key`` is None for the whole store. ``ended`` is a ``perf_counter_ns``.
    """

    labels: Labels
    key: str | None
    ended: int
    contended: bool
    wait_ns: int
    hold_ns: int
    write_ns: int
    written_bytes: int
    changed_bytes: int
    phases: tuple[int, int, int, int, int, int, int, int]


NO_PHASES = (ABSENT,) * 8
