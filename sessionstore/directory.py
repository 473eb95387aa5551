"""DirectoryStore: one file per session below ``sessions.d``.

An update opens two files and lists nothing: lock the session, check that ``sessions.d`` is
still the directory we have open, read the one file, rename a new one over it, unlock. 13 system
calls at any number of sessions (performance.md §8). Reads take no lock: a rename is atomic.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from time import perf_counter_ns
from typing import Any, Literal

from . import adoption, entryfiles
from .entries import NotAnEntryError, decode_exactly
from .errors import (
    ConflictError,
    CorruptEntryError,
    LockTimeoutError,
    SessionStoreError,
    UnsafeFileError,
)
from .files import io_error, remove_file
from .keys import Place, locate
from .layout import (
    DAMAGED,
    REMOVE,
    Bulk,
    LayoutMovedError,
    Put,
    Scanned,
    Spent,
    Terms,
    Transform,
)
from .locks import Hold, StoreLocks
from .locks.staging import Staging
from .opened import Directory, OpenDirectory, check_protocol
from .paths import StorePaths
from .quarantine import set_aside
from .recorder import Outcome, Recorder
from .recording.rows import PlainRow
from .recording.telling import RetriedError, Telling, times_of

_AGAIN = (ConflictError, CorruptEntryError, UnsafeFileError)
"""What a second look under the lock settles."""


class UnadoptedDirectory:
    """A ``sessions.d`` that another program wrote: reads scan, and nothing is moved."""

    name: Literal["directory"] = "directory"

    def __init__(self, paths: StorePaths, *, max_entry_bytes: int) -> None:
        self.directory = Directory(paths)
        self.max_entry_bytes = max_entry_bytes

    def _opened(self) -> OpenDirectory:
        opened = self.directory.current()
        if opened is None or opened.marked:
            raise LayoutMovedError
        return opened

    def read(self, place: Place) -> bytes | None:
        """The winning entry of a key; lists the directory."""
        opened = self._opened()
        data = adoption.read_unadopted(opened, place.key, self.max_entry_bytes)
        if data is None:
            _check_still(self.directory, opened)
        return data

    def keys(self) -> list[str]:
        """All keys, damaged entries included. Reads every file."""
        return sorted({found.key for found in self.scan() if found.key is not None})

    def scan(self) -> Iterator[Scanned]:
        """Read every file once; losers and foreign names come as findings."""
        opened = self._opened()
        yield from adoption.scan_unadopted(opened, self.max_entry_bytes)
        _check_still(self.directory, opened)


class DirectoryStore:
    """The directory layout, adopted; implements ``layout.Layout``. ``Store`` wraps it."""

    name: Literal["directory"] = "directory"

    def __init__(
        self,
        paths: StorePaths,
        locks: StoreLocks,
        staging: Staging,
        *,
        max_entry_bytes: int,
        recorder: Recorder | None,
    ) -> None:
        self.paths = paths
        self.locks = locks
        self.staging = staging
        self.max_entry_bytes = max_entry_bytes
        self.telling = Telling(recorder, scope="session", layout=self.name)
        self._is_timed = self.telling.is_heard
        self._reporter = self.telling.reporter
        self.directory = Directory(paths)
        self._known: OpenDirectory | None = None

    def read(self, place: Place) -> bytes | None:
        """The entry's bytes; opens one file."""
        opened = self._opened()
        data = entryfiles.read_entry(opened, place, self.max_entry_bytes)
        if data is None:
            _check_still(self.directory, opened)
        return data

    def _opened(self) -> OpenDirectory:
        opened = self.directory.current()
        if opened is None or not opened.marked:
            raise LayoutMovedError
        return opened

    def is_ready(self) -> bool:
        """Whether the directory is there and adopted. One ``lstat``."""
        opened = self.directory.current()
        return opened is not None and opened.marked

    def adopt(self) -> None:
        """Make the directory ours; the caller holds exclusive mode."""
        opened = self.directory.current()
        if opened is None:
            raise LayoutMovedError
        adoption.adopt(
            self.paths,
            opened,
            self.staging,
            protocol=self.locks.protocol,
            max_bytes=self.max_entry_bytes,
        )

    def change(
        self,
        place: Place,
        transform: Transform,
        terms: Terms,
        *,
        reenter: bool = False,
        spent: Spent | None = None,
    ) -> None:
        """Replace one entry under its session's lock. See :class:`layout.Terms`."""
        hold = self._acquire(place, terms, reenter=reenter)
        entered = perf_counter_ns() if reenter else 0
        wants_phases = self._reporter is not None and self._reporter.wants_phases
        outcome: Outcome | None = "failed"
        read = started = written = size = 0
        try:
            opened = self._opened()
            if opened is not self._known:
                self._take_up(opened)
            old, damage = self._read(opened, place, terms)
            read = perf_counter_ns() if wants_phases else 0
            new = transform(old)
            if new is None:
                outcome = "unchanged"
                return
            started = perf_counter_ns()
            if started - hold.asked_ns > terms.timeout * 1e9 > 0:
                raise _too_slow(hold, terms)
            if not self.locks.is_valid(hold):
                raise LayoutMovedError
            size = 0 if new is REMOVE else len(new)
            marks = hold if wants_phases else None
            written = self._replace(opened, place, new, terms, old is None, damage, marks)
            outcome = "written" if written else "removed"
        except LayoutMovedError:
            outcome = None  # it is done again, and told then
            raise
        except SessionStoreError as error:
            outcome = self.telling.outcome_of(error, terms.operation)
            raise
        finally:
            ended = perf_counter_ns()
            self.locks.release(hold)
            if self._is_timed and outcome is not None:
                stamps = read, started, ended
                self._told(place.key, terms, outcome, hold, entered, spent, stamps, written, size)

    def _told(
        self,
        key: str,
        terms: Terms,
        outcome: Outcome,
        hold: Hold,
        entered: int,
        spent: Spent | None,
        stamps: tuple[int, int, int],
        written: int,
        size: int,
    ) -> None:
        """Report a change that had its lock. ``stamps``: read, started, ended."""
        read, started, ended = stamps
        merged, changed = (spent.merged_ns, spent.changed_bytes) if spent is not None else (0, 0)
        row = (
            key,
            hold.asked_ns,
            hold.acquired_ns,
            read,
            merged or started,
            started,
            hold.staged_ns if written and read else 0,
            ended,
            written,
            changed or size,
        )
        reporter = self._reporter
        is_odd = hold.contended or entered or terms.queued_ns
        if is_odd or not written or terms.durability != "none" or reporter is None:
            self._tell(terms, outcome, row, hold, entered)
        else:
            reporter.add_plain(terms.operation, row)

    def _tell(
        self, terms: Terms, outcome: Outcome, row: PlainRow, hold: Hold, entered: int
    ) -> None:
        times = times_of(hold, queued_ns=terms.queued_ns, entered=entered)
        key, _, _, times.read, times.merged, times.started, times.staged, times.ended, *sizes = row
        if terms.durability != "none" and times.staged:
            times.note_syncs(hold)
        self.telling.tell(key, terms.operation, outcome, times, *sizes)

    def _acquire(self, place: Place, terms: Terms, *, reenter: bool) -> Hold:
        try:
            return self.locks.acquire(
                place.key,
                terms.operation,
                terms.timeout,
                reenter=reenter,
                offset=place.lock_offset,
            )
        except LockTimeoutError as error:
            self.telling.tell_timeout(
                place.key,
                terms.operation,
                error,
                terms.limit_s or terms.timeout,
                queued_ns=terms.queued_ns,
            )
            raise

    def _take_up(self, opened: OpenDirectory) -> None:
        """Look at a directory that is another than before. The lock is held."""
        # Its neighbour, the lock file, may be another too.
        if not self.locks.is_current():
            raise LayoutMovedError
        check_protocol(opened, self.locks.protocol)
        self._known = opened

    def _read(
        self, opened: OpenDirectory, place: Place, terms: Terms
    ) -> tuple[bytes | None, str | None]:
        """The entry's bytes, and what is wrong with a file that the change may set aside."""
        try:
            data = entryfiles.read_entry(opened, place, self.max_entry_bytes)
            if terms.heal and data is not None:
                _check_entry(opened, place, data)
            return data, None
        except (CorruptEntryError, UnsafeFileError) as error:
            if not terms.heal:
                raise
            return DAMAGED, error.message

    def _set_aside(self, opened: OpenDirectory, place: Place, reason: str) -> None:
        set_aside(
            self.paths.sidecar,
            self.staging,
            place.file_name,
            from_fd=opened.fd,
            key=place.key,
            reason=reason,
            stays=True,
        )

    def _replace(
        self,
        opened: OpenDirectory,
        place: Place,
        data: Put,
        terms: Terms,
        created: bool,
        damage: str | None,
        marks: Hold | None,
    ) -> int:
        """How many bytes were written; none where the entry was removed."""
        if damage is not None:
            self._set_aside(opened, place, damage)
            created = True
        if data is REMOVE:
            self._remove(opened, place, terms)
            return 0
        name = place.file_name
        if "/" in name:
            data = entryfiles.wrap(place.key, data, max_bytes=self.max_entry_bytes)
        try:
            if created and "/" in name:
                opened.make_side_area()
            self.staging.put(
                data,
                name,
                to_fd=opened.fd,
                durability=terms.durability,
                created=created,
                marks=marks,
            )
        except FileNotFoundError:
            raise LayoutMovedError from None  # the whole directory went away under us
        except OSError as error:
            raise self._failed("write", opened, place, error) from error
        return len(data)

    def _remove(self, opened: OpenDirectory, place: Place, terms: Terms) -> None:
        try:
            remove_file(place.file_name, dir_fd=opened.fd)
            if terms.durability == "strict":
                opened.sync(place.file_name)
        except OSError as error:
            raise self._failed("remove", opened, place, error) from error

    @staticmethod
    def _failed(
        action: str, opened: OpenDirectory, place: Place, error: OSError
    ) -> SessionStoreError:
        if not isinstance(error, SessionStoreError):
            error = io_error(action, opened.path_of(place.file_name), error)
        return entryfiles.complete(error, opened, place)

    def change_many(
        self, changes: dict[str, Transform], terms: Terms
    ) -> dict[str, SessionStoreError]:
        """Change each key under its own lock; returns by key what could not be changed.

        One key's trouble stops no other; the deadline is one for all of them.
        """
        failed: dict[str, SessionStoreError] = {}
        ends = time.monotonic() + terms.timeout
        for key in sorted(changes):
            try:
                self.change(locate(key), changes[key], terms.until(ends))
            except SessionStoreError as error:
                error.key = error.key or key
                failed[key] = error
        return failed

    def mutate_all(self, compute: Bulk, terms: Terms) -> None:
        """Apply ``compute`` to all entries; each key changes from exactly what it was shown.

        Keys that another writer changed meanwhile are locked, read again and computed again:
        ``compute`` then runs a second time and only those keys are taken from it. A damaged
        file in the way of one is set aside.
        """
        ends = time.monotonic() + terms.timeout
        seen = self._load()
        wanted = {key: _only_if(seen.get(key), new) for key, new in compute(seen).items()}
        failed = self.change_many(wanted, terms)
        moved = [key for key, error in failed.items() if isinstance(error, _AGAIN)]
        if moved:
            left_s = terms.until(ends).timeout
            with self.locks.keys(moved, terms.operation, left_s):
                fresh = compute(self._load())
                healing = terms._replace(heal=True)
                for key in sorted(fresh.keys() & set(moved)):
                    self.change(locate(key), _always(fresh[key]), healing, reenter=True)
        for key, error in failed.items():
            if key not in moved:
                raise error

    def _load(self) -> dict[str, bytes]:
        return {
            found.key: found.data
            for found in self.scan()
            if found.key is not None and found.problem is None
        }

    def keys(self) -> list[str]:
        """All keys, damaged entries included. Opens only files whose name is a digest."""
        opened = self._opened()
        inline = (entryfiles.canonical_key(name) for name in opened.names())
        side = entryfiles.scan_side_area(opened, self.max_entry_bytes)
        keys = sorted(
            [key for key in inline if key is not None]
            + [found.key for found in side if found.key is not None]
        )
        _check_still(self.directory, opened)
        return keys

    def scan(self) -> Iterator[Scanned]:
        """Read every file once, in no order; damaged and foreign ones come as findings."""
        opened = self._opened()
        yield from entryfiles.scan_adopted(opened, self.max_entry_bytes)
        _check_still(self.directory, opened)


def _check_still(directory: Directory, opened: OpenDirectory) -> None:
    """Look again where another directory is at the path by now: what was not found in the old one
    may be in that. A restore swaps the two, then removes the old one's files."""
    if not directory.is_still(opened):
        raise LayoutMovedError


def _check_entry(opened: OpenDirectory, place: Place, data: bytes) -> None:
    try:
        _, exact = decode_exactly(data)
        if not exact:
            raise NotAnEntryError("holds NaN or infinity, which is no JSON")
    except NotAnEntryError as error:
        path = opened.path_of(place.file_name)
        raise entryfiles.corrupt_entry(place.key, path, str(error)) from error


def _too_slow(hold: Hold, terms: Terms) -> LockTimeoutError:
    spent_s = (perf_counter_ns() - hold.asked_ns) / 1e9
    return LockTimeoutError(
        f"the {terms.operation} of {hold.key!r} took {spent_s:.1f} s of "
        f"{terms.timeout:.3g} s allowed; nothing was written",
        key=hold.key,
        waited_s=spent_s,
        hint="do slow work before the update, or allow more time",
    )


def _only_if(seen: bytes | None, new: Any) -> Transform:
    def transform(current: bytes | None) -> Any:
        if current != seen:
            raise RetriedError("changed meanwhile")
        return new

    return transform


def _always(new: Any) -> Transform:
    return lambda current: new
