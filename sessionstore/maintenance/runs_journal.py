"""The journal of a run: what is about to be done, on disk before it is done, and what came of it.

One JSON object a line. A killed process leaves at most a part of a line, which is skipped: every
record begins with a line break of its own. Intents are synced before anything is done; an outcome
that a power cut takes away is found out again from what is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from ..entries import NotAnEntryError, decode
from ..files import close_directory, io_error, open_list, read_file, sync_data, write_all

NAME = "journal"
_LARGEST = 1 << 30

State = Literal[
    "intent", "done", "skipped", "failed", "taken-back", "not-taken-back", "ended", "expired"
]


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. ``names`` are pairs: a file beside the store, and what it is called afterwards.

    ``held`` of the ``freed`` bytes are still on the disk; ``version`` is what an entry comes back
    from.
    """

    state: State
    at_ms: int
    item: str = ""
    names: tuple[tuple[str, str], ...] = ()
    version: str = ""
    freed: int = 0
    held: int = 0
    message: str = ""


@dataclass(slots=True)
class Journal:
    """What a run's journal says, by item; the newest record of a kind counts."""

    intents: dict[str, Record] = field(default_factory=dict)
    outcomes: dict[str, Record] = field(default_factory=dict)
    returns: dict[str, Record] = field(default_factory=dict)
    ended: Record | None = None
    expired: Record | None = None

    def add(self, record: Record) -> None:
        """Take note of one more record."""
        if record.state == "intent":
            self.intents[record.item] = record
        elif record.state in ("done", "skipped", "failed"):
            self.outcomes[record.item] = record
        elif record.state in ("taken-back", "not-taken-back"):
            self.returns[record.item] = record
        elif record.state == "ended":
            self.ended = record
        else:
            self.expired = record


def read_journal(*, dir_fd: int) -> Journal:
    """The journal in an open run's folder; an empty one where there is none."""
    journal = Journal()
    try:
        data = read_file(NAME, dir_fd=dir_fd, max_bytes=_LARGEST)
    except FileNotFoundError:
        return journal
    for line in data.splitlines():
        if (record := _record_of(line)) is not None:
            journal.add(record)
    return journal


def _record_of(line: bytes) -> Record | None:
    if not line:
        return None
    try:
        return msgspec.convert(_plain(line), Record)
    except (NotAnEntryError, msgspec.ValidationError):
        return None  # what a killed process left of a line


def _plain(line: bytes) -> dict[str, Any]:
    return decode(line)


class JournalFile:
    """The journal that a run adds to; close it."""

    def __init__(self, shown: str, *, dir_fd: int) -> None:
        self._shown = shown
        self._fd = open_list(NAME, dir_fd=dir_fd)

    def add(self, records: Iterable[Record], *, sync: bool) -> None:
        """Add records; with ``sync`` they are on disk when this returns.

        Raises:
            StoreIOError: the disk refused; what is written of them is skipped by readers.
        """
        lines = b"".join(b"\n" + msgspec.json.encode(record) for record in records)
        try:
            write_all(self._fd, lines + b"\n")
            if sync:
                sync_data(self._fd)
        except OSError as error:
            raise io_error("write", self._shown, error) from error

    def close(self) -> None:
        """Let go of the descriptor."""
        close_directory(self._fd)
