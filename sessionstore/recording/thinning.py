"""Keep ``stats/`` small: old reports are added up, the oldest removed.

Files that no living process appends to are replaced by merged ones, one for each hour, in which
reports get coarser with age (:mod:`.tiers`). A merged file names in its first frame what it was
made of, and appears at once under its name before these go. So at every moment, killed or not,
each report is counted once: readers skip what a present file names, and the next tidying
removes it.

Bounds: 96 MiB beside the current files of living processes, of which each has one of some 4 MiB;
72 hours, and until the next call. One process at a time does it; a call reads at most some 16 MiB.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SessionStoreError
from ..files import close_directory, open_below, remove_file, rename_new, status_of, write_new
from ..locks.alone import claim
from ..locks.owned import Held
from .closed import Closed, find_closed, read_closed, sweep_replaced
from .folding import thinned
from .records import FOLDER
from .scanning import Scan, identity_of, pack_sources
from .segments import MOST_FILE_BYTES, TEMPORARY, Span, block_of
from .tiers import HOUR, KEPT_MS, MINUTE, crosses_a_limit, thinning_time

LOCK = "stats"
MOST_FOLDER_BYTES = 96 << 20

_REST_MS = 10 * MINUTE
_FOREIGN_REST_MS = HOUR
_MOST_CLOSED = 64
_READ_BYTES = 16 << 20
_OPEN_BYTES = 64 << 10  # what each file counts for besides, so that a call opens at most 256


@dataclass(slots=True)
class Tidied:
    """What one tidying did, by file names: merged ``sources`` into ``made``; ``dropped``."""

    sources: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def tidy(sidecar: Path, *, now_ms: int) -> None:
    """Thin out the reports of one store. Raises nothing that a disk or another process can cause.

    With nothing to do: one listing, and a look at each file. Adding up an hour of 8 processes takes
    some two seconds of processor time, once per hour and store.
    """
    try:
        thin(sidecar, now_ms=now_ms)
    except (OSError, SessionStoreError):
        return  # what is there is whole, and the next call tries again


def thin(sidecar: Path, *, now_ms: int) -> Tidied | None:
    """As :func:`tidy`, and tell what was done; None while another process is at it.

    Raises:
        UnsafeFileError, StoreIOError, OSError: the disk refused; nothing is lost.
    """
    try:
        folder_fd = open_below(sidecar, FOLDER)
    except FileNotFoundError:
        return Tidied()
    try:
        release = claim(sidecar, LOCK)
        if release is None:
            return None
        try:
            tidying = _Tidying(folder_fd, now_ms)
            try:
                return tidying.run()
            finally:
                tidying.held.release()
        finally:
            release()
    finally:
        close_directory(folder_fd)


class _Tidying:
    def __init__(self, folder_fd: int, now_ms: int) -> None:
        self._fd = folder_fd
        self._now_ms = now_ms
        self._thinning_ms = thinning_time(now_ms)
        self._kept: set[str] = set()
        self.held = Held()
        self._done = Tidied()

    def run(self) -> Tidied:
        self._kept = sweep_replaced(self._fd)
        closed = self._within_bounds(find_closed(self._fd, but=self._kept, now_ms=self._now_ms))
        merged: dict[int, list[Closed]] = {}
        for one in closed:
            if one.span is not None:
                merged.setdefault(one.span.block, []).append(one)
        work = self._written_work(one for one in closed if one.span is None)
        for block, files in merged.items():
            if len(files) > 1 or self._is_due(files[0]):
                work.setdefault(block, [])
        left = _READ_BYTES
        for block in sorted(work):
            files = merged.get(block, [])
            left -= sum(one.size for one in files)
            self._merge(work[block] + [(one, self._read(one)) for one in files])
            if left <= 0:
                break
        return self._done

    def _within_bounds(self, closed: list[Closed]) -> list[Closed]:
        """Drop the oldest files while all are too large, and what cannot matter any more."""
        kept: list[Closed] = []
        room = MOST_FOLDER_BYTES
        for one in sorted(closed, key=lambda one: one.newest_ms, reverse=True):
            room -= one.size
            if room < 0 or one.newest_ms <= self._thinning_ms - KEPT_MS:
                self._drop(one)
            else:
                kept.append(one)
        return kept

    def _drop(self, one: Closed) -> None:
        remove_file(one.name, dir_fd=self._fd)
        self._done.dropped.append(one.name)

    def _is_due(self, one: Closed) -> bool:
        span = one.span
        return span is not None and crosses_a_limit(
            span.oldest_ms, span.newest_ms, span.thinned_at_ms, self._thinning_ms
        )

    def _written_work(self, written: Iterable[Closed]) -> dict[int, list[tuple[Closed, Scan]]]:
        """What writers left that is to be added up now, read, by the hour of its end."""
        oldest_first = sorted(written, key=lambda one: one.changed_at_ms)
        are_many = len(oldest_first) > _MOST_CLOSED
        work: dict[int, list[tuple[Closed, Scan]]] = {}
        left = _READ_BYTES
        for one in oldest_first:
            rest_ms = _REST_MS if one.is_own_host else _FOREIGN_REST_MS
            has_rested = abs(self._now_ms - one.changed_at_ms) >= rest_ms
            if not has_rested and not (are_many and one.is_own_host):
                continue
            left -= one.size + _OPEN_BYTES
            if left < 0 and work:
                break
            found = self._read(one)
            if found.reports:
                newest_ms = max(report.until_ms for report in found.reports)
                work.setdefault(block_of(newest_ms), []).append((one, found))
            elif not found.refused:
                self._drop(one)  # its writer was killed before its first report was whole
        return work

    def _read(self, one: Closed) -> Scan:
        return read_closed(self._fd, one, self._now_ms, self.held)

    def _merge(self, sources: list[tuple[Closed, Scan]]) -> None:
        """Replace files by one. What is ahead of our clock, or was not read, stays as it is."""
        sources = [(one, found) for one, found in sources if found.reports and not found.ahead]
        if not sources:
            return
        reports = [report for _, found in sources for report in found.reports]
        frames = list(thinned(reports, now_ms=self._thinning_ms))
        if frames:
            kept = [one.until_ms for one in reports if one.until_ms > self._thinning_ms - KEPT_MS]
            replaced = [identity_of(one.name, found.head) for one, found in sources]
            # A source of a source that could not be removed must stay named.
            replaced += sorted(self._kept)
            span = Span(min(kept), max(kept), self._thinning_ms)
            data = pack_sources(replaced) + b"".join(frames)
            if len(data) > MOST_FILE_BYTES:  # an hour of thousands of sessions with long keys
                coarse = thinned(reports, now_ms=self._thinning_ms, finest_ms=MINUTE)
                data = pack_sources(replaced) + b"".join(coarse)
            self._put(span, data)
        for one, _ in sources:
            remove_file(one.name, dir_fd=self._fd)
        (self._done.sources if frames else self._done.dropped).extend(
            one.name for one, _ in sources
        )

    def _put(self, span: Span, data: bytes) -> None:
        temporary = f"{TEMPORARY}{span.thinned_at_ms}"
        write_new(temporary, data, dir_fd=self._fd, sync="relaxed")
        number = 1
        while status_of(span.name(number), dir_fd=self._fd) is not None:
            number += 1
        rename_new(temporary, span.name(number), dir_fd=self._fd)
        self._done.made.append(span.name(number))
