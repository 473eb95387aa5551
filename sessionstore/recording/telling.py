"""Tells whoever listens, the built-in reporter or a caller's recorder, how an update went."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter_ns

from ..errors import ConflictError, LockTimeoutError
from ..files import Marks
from ..locks import Hold
from ..recorder import Outcome, Recorder
from .records import Labels
from .reporter import Reporter
from .rows import ABSENT, Update

Phases = tuple[int, int, int, int, int, int, int, int]


class RetriedError(ConflictError):
    """A conflict that the store settles itself, by computing the change again."""


@dataclass(slots=True)
class Times:
    """Stamps (``perf_counter_ns``) of one update, 0 where it did not get that far.

    ``sync_ns`` and ``folder_sync_ns`` are as in ``files.Marks``. ``queued_ns`` passed before
    ``asked``, and ``file_wait_ns`` after ``acquired``, waiting for OpenClaw's lock file.
    """

    asked: int = 0
    acquired: int = 0
    read: int = 0
    merged: int = 0
    started: int = 0
    ended: int = 0
    queued_ns: int = 0
    in_line_ns: int = 0
    file_wait_ns: int = 0
    contended: bool = False
    staged: int = 0
    sync_ns: int = 0
    folder_sync_ns: int = 0

    @property
    def wait_ns(self) -> int:
        """From asking to having the lock."""
        return self.queued_ns + self.acquired - self.asked + self.file_wait_ns

    def phases(self) -> Phases:
        """Nanoseconds by ``records.PHASES``."""
        queue = self.queued_ns + self.in_line_ns
        lock = max(self.wait_ns - queue, 0)
        if not self.read:
            return (queue, lock, *(ABSENT,) * 6)
        read = self.read - self.acquired - self.file_wait_ns
        if not self.started:
            return (queue, lock, read, self.ended - self.read, *(ABSENT,) * 4)
        merged = self.merged or self.started
        merge, serialise = merged - self.read, self.started - merged
        return (queue, lock, read, merge, serialise, *self._replacing())

    def _replacing(self) -> tuple[int, int, int]:
        """Write, sync and rename; a removal is a rename without the others."""
        if not self.staged:
            return ABSENT, ABSENT, self.ended - self.started
        write = self.staged - self.started - self.sync_ns
        rename = self.ended - self.staged - self.folder_sync_ns
        return write, self.sync_ns + self.folder_sync_ns, rename

    def note_syncs(self, marks: Marks) -> None:
        """Of an update that wrote durably."""
        if self.staged:
            self.sync_ns, self.folder_sync_ns = marks.sync_ns, marks.folder_sync_ns


@dataclass(slots=True)
class Stamps:
    """What a change that takes milliseconds notes as it goes; is also its ``files.Marks``."""

    read: int = 0
    merged: int = 0
    started: int = 0
    staged_ns: int = 0
    sync_ns: int = 0
    folder_sync_ns: int = 0


class Telling:
    """For one layout of one store. Without anybody who listens it costs a look at ``is_heard``."""

    def __init__(self, recorder: Recorder | None, *, scope: str, layout: str) -> None:
        self.is_heard = recorder is not None
        self.reporter = recorder if isinstance(recorder, Reporter) else None
        self._recorder = recorder
        self._scope = scope
        self._layout = layout

    def outcome_of(self, error: BaseException, operation: str) -> Outcome:
        """The outcome of an update that ends with this error; conflicts are counted as well."""
        if isinstance(error, ConflictError):
            if self.reporter is not None:
                how = "retried" if isinstance(error, RetriedError) else "refused"
                self.reporter.count(f"conflicts:{operation}:{how}")
            return "conflict"
        return "timeout" if isinstance(error, LockTimeoutError) else "failed"

    def tell(
        self,
        key: str | None,
        operation: str,
        outcome: Outcome,
        times: Times,
        written_bytes: int = 0,
        changed_bytes: int = 0,
    ) -> None:
        """An update that had its lock. ``key`` is None for a change of many sessions at once."""
        hold_ns = times.ended - times.acquired
        write_ns = times.ended - times.started if written_bytes else 0
        sizes = written_bytes, changed_bytes
        if self.reporter is not None:
            labels = Labels(operation, outcome, self._scope, self._layout)
            waits = times.contended, times.wait_ns
            phases = times.phases()
            self.reporter.add(
                Update(labels, key, times.ended, *waits, hold_ns, write_ns, *sizes, phases)
            )
        elif self._recorder is not None:
            waited = times.wait_ns
            self._recorder.record(
                operation, outcome, waited, hold_ns, write_ns, written_bytes, times.contended
            )

    def tell_timeout(
        self,
        key: str | None,
        operation: str,
        error: LockTimeoutError,
        limit_s: float,
        *,
        queued_ns: int = 0,
    ) -> None:
        """An update that never had its lock: it counts as at least its limit.

        ``queued_ns`` passed in line before the lock was asked for.
        """
        wait_ns = max(int(error.waited_s * 1e9) + queued_ns, int(limit_s * 1e9))
        if self.reporter is not None:
            labels = Labels(operation, "timeout", self._scope, self._layout)
            queue_ns = min(int(error.queued_s * 1e9) + queued_ns, wait_ns)
            phases = (queue_ns, wait_ns - queue_ns, *(ABSENT,) * 6)
            ended = perf_counter_ns()
            self.reporter.add(Update(labels, key, ended, True, wait_ns, 0, 0, 0, 0, phases))
        elif self._recorder is not None:
            self._recorder.record(operation, "timeout", wait_ns, 0, 0, 0, True)


def times_of(hold: Hold, *, queued_ns: int = 0, entered: int = 0) -> Times:
    """Begin with what the lock says.

    ``queued_ns`` was waited before the lock was asked for. ``entered`` is when a lock that was
    held already was entered again, which is no wait.
    """
    if entered:
        return Times(asked=entered, acquired=entered)
    in_line_ns = hold.queued_ns if hold.contended else 0
    return Times(
        asked=hold.asked_ns,
        acquired=hold.acquired_ns,
        queued_ns=queued_ns,
        in_line_ns=in_line_ns,
        contended=hold.contended or queued_ns > 0,
    )
