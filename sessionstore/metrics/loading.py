"""Read the files of ``stats/``, each byte of them once."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ..files import close_directory, open_below, status_of
from ..locks.owned import Owned, read_owned
from ..paths import StorePaths
from ..recording.records import FOLDER, Process
from ..recording.scanning import AHEAD_MS, Report, identity_of, scan
from ..recording.segments import MOST_FILE_BYTES, MOST_FILES, is_own_host, names_in, span_of

State = Literal["alive", "dead", "unknown"]

MOST_BYTES = 128 << 20
"""Of reports in memory, those that are newest: more than tidying leaves on disk."""

_TRIES = 5
_JUST_MADE_MS = 60_000


@dataclass(slots=True)
class ReportFile:
    """One file as far as it has been read."""

    name: str
    inode: int
    size: int = -1
    read_to: int = 0
    head: bytes = b""
    state: State = "unknown"
    changed_at_ms: int = 0
    refused: int = 0
    is_unreadable: bool = False
    reports: list[Report] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    processes: dict[Process, int] = field(default_factory=dict)

    def is_settled(self, now_ms: int) -> bool:
        """Whether nobody can append to it any more; a new file may be about to be locked."""
        return self.state == "dead" and now_ms - self.changed_at_ms > _JUST_MADE_MS

    @property
    def room(self) -> int:
        """How many bytes to read at most."""
        return 0 if self.is_unreadable else max(MOST_FILE_BYTES - self.read_to, 0)

    def take(self, owned: Owned, now_ms: int) -> None:
        """Add what was read behind ``read_to``, and who keeps the file."""
        self.size = owned.status.st_size
        self.changed_at_ms = owned.status.st_mtime_ns // 1_000_000
        span = span_of(self.name)
        is_dead = span is not None or is_own_host(self.name)
        self.state = "alive" if owned.is_locked else "dead" if is_dead else "unknown"
        if self.size > MOST_FILE_BYTES and not self.is_unreadable:
            self.is_unreadable = True
            self.refused += 1
        if not owned.data or self.is_unreadable:
            return
        found = scan(owned.data, latest_ms=now_ms + AHEAD_MS)
        if self.read_to == 0:
            self.head = found.head
        self.read_to += found.end
        self.refused += found.refused
        self.is_unreadable = found.is_damaged
        self.reports.extend(found.reports)
        if span is not None:
            self.sources.extend(found.sources)
        for process, until_ms in found.processes.items():
            self.processes[process] = max(self.processes.get(process, 0), until_ms)


class ReportFiles:
    """All files of one store. Not thread-safe."""

    def __init__(self, paths: StorePaths) -> None:
        self._sidecar = paths.sidecar
        self._files: dict[str, ReportFile] = {}
        self._odd: set[str] = set()
        self._left_out = 0
        self._changed: list[Report] = []
        self._replaced: set[str] = set()

    @property
    def refused(self) -> int:
        """How many reports and files could not be read, or had no room."""
        inside = sum(file.refused for file in self._files.values())
        return inside + len(self._odd) + self._left_out

    def counted(self) -> Iterator[ReportFile]:
        """Files but those that a merged one replaces."""
        for file in self._files.values():
            if not self._replaced or identity_of(file.name, file.head) not in self._replaced:
                yield file

    def refresh(self, now_ms: int) -> list[Report]:
        """Read what is new, by inode and size; return the reports that came or went.

        With nothing new: two listings, a look at each file, and one more at each whose owner may
        live. A damaged or odd file is counted, and hides no other.

        Raises:
            StoreIOError: the folder cannot be read.
            UnsafeFileError: it is a link, or no folder.
        """
        self._changed = []
        before = {file.name for file in self.counted()}
        try:
            folder_fd = open_below(self._sidecar, FOLDER)
        except FileNotFoundError:
            self._keep_only([])
        else:
            try:
                self._read_all(folder_fd, now_ms)
            finally:
                close_directory(folder_fd)
        self._replaced = {one for file in self._files.values() for one in file.sources}
        for name in before.symmetric_difference(file.name for file in self.counted()):
            if name in self._files:
                self._changed.extend(self._files[name].reports)
        if self._changed:
            self._make_room()
        return self._changed

    def _read_all(self, folder_fd: int, now_ms: int) -> None:
        for _ in range(_TRIES):
            names = names_in(folder_fd)
            self._left_out = max(len(names) - MOST_FILES, 0)
            self._keep_only(names[:MOST_FILES])
            gone = [n for n in names[:MOST_FILES] if not self._read(folder_fd, n, now_ms)]
            # Between two equal listings nobody merged; else what went may be counted nowhere.
            if not gone and names == names_in(folder_fd):
                return

    def _keep_only(self, names: list[str]) -> None:
        for name in self._files.keys() - names:
            self._changed.extend(self._files.pop(name).reports)
        self._odd.intersection_update(names)

    def _read(self, folder_fd: int, name: str, now_ms: int) -> bool:
        """Take up one file; False when it is gone."""
        status = status_of(name, dir_fd=folder_fd)
        if status is None:
            return False
        file = self._files.get(name)
        if file is not None and (file.inode != status.st_ino or status.st_size < file.read_to):
            self._changed.extend(self._files.pop(name).reports)
            file = None
        if file is None and stat.S_ISREG(status.st_mode) and not status.st_size:
            return True  # its owner may be about to lock it
        if file is None:
            file = ReportFile(name, status.st_ino)
        elif file.size == status.st_size and file.is_settled(now_ms):
            return True
        try:
            owned = read_owned(name, dir_fd=folder_fd, offset=file.read_to, max_bytes=file.room)
        except FileNotFoundError:
            return False
        if owned is None:
            self._odd.add(name)
            return True
        self._odd.discard(name)
        self._files[name] = file
        known = len(file.reports)
        file.take(owned, now_ms)
        self._changed.extend(file.reports[known:])
        return True

    def _make_room(self) -> None:
        """Forget the oldest reports when all are too large; writers cannot get there."""
        reports = [report for file in self._files.values() for report in file.reports]
        room = MOST_BYTES - sum(len(report.payload) for report in reports)
        if room >= 0:
            return
        cut_ms = 0
        for report in sorted(reports, key=lambda one: one.until_ms):
            room += len(report.payload)
            cut_ms = report.until_ms
            if room >= 0:
                break
        for file in self._files.values():
            left = [report for report in file.reports if report.until_ms > cut_ms]
            self._changed.extend(one for one in file.reports if one.until_ms <= cut_ms)
            file.refused += len(file.reports) - len(left)
            file.reports = left
