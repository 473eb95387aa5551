"""The index of one store: refresh it, then ask it."""

from __future__ import annotations

import os
import threading
import time
import weakref

from .. import files
from ..errors import Finding, InvalidKeyError, SessionStoreError
from ..keys import locate
from ..layout import detect_layout
from ..paths import StorePaths
from . import snapshot
from .answering import Answers
from .directory_source import DirectorySource, finding_of
from .legacy_source import LegacySource
from .reading import Rows
from .rows import Page, Query, Refreshed, Row, Summary
from .sqlite_source import SqliteSource
from .table import Delta, Table
from .watching import WatchMode

_TRIES = 4
_SAVE_EVERY_S = 300.0
_SAVE_FROM_ROWS = 2_000


class Index:
    """All sessions of one store, in memory, for lists.

    :meth:`refresh` makes it exact: whatever any process finished writing before the call is in
    the answers after it. Nothing is refreshed by itself and nothing expires. Trouble with the
    store never raises; it becomes rows with a ``problem`` and :meth:`problems`. Thread-safe:
    queries wait for a refresh only while its result is taken over. A forked child looks for itself.

    ``watch``: ``inotify`` or ``stat`` insist on one way of noticing changes; ``auto`` prefers
    the first. ``snapshot_from`` is the number of rows that makes a snapshot worth its while.
    """

    def __init__(
        self,
        paths: StorePaths,
        *,
        max_entry_bytes: int = files.DEFAULT_MAX_BYTES,
        use_snapshot: bool = True,
        watch: WatchMode = "auto",
        snapshot_from: int = _SAVE_FROM_ROWS,
    ) -> None:
        self.paths = paths
        self._max_entry_bytes = max_entry_bytes
        self._use_snapshot = use_snapshot
        self._mode = watch
        self._snapshot_from = snapshot_from
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._source: DirectorySource | LegacySource | SqliteSource | None = None
        self._start_over()
        _INDEXES.add(self)

    def _start_over(self) -> None:
        self._table = Table()
        self._answers = Answers(self._table)
        self._rows = Rows("empty", self.paths.agent_id)
        self._unsaved = 0

    def renew_after_fork(self) -> None:
        """In a forked child: threads that it does not have may hold our locks.

        One that was at work has left the rows half-way, so they are read again.
        """
        if self._refreshing.locked() or self._lock.locked():
            self._source = None
            self._start_over()
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()

    # -- asking ------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Grows with each observed change; equal versions give equal answers."""
        return self._table.version

    @property
    def layout(self) -> str:
        """Layout at the last refresh: ``directory``, ``legacy``, ``sqlite`` or ``empty``."""
        return "empty" if self._source is None else self._source.layout

    def query(self, query: Query) -> Page:
        """One page of rows, from memory."""
        with self._lock:
            return self._answers.page(query)

    def get(self, key: str) -> Row | None:
        """The row of a key, folded or not; also of a ``Row.key`` without a key."""
        with self._lock:
            row = self._table.listed(key)
            if row is None:
                try:
                    row = self._table.listed(locate(key).key)
                except InvalidKeyError:
                    return None
            return row

    def summary(self) -> Summary:
        """The store in a few figures."""
        with self._lock:
            table = self._table
            newest = table.order("updated", everything=True).slice(0, 1, descending=True)
            return Summary(
                sessions=table.session_count,
                bytes=table.bytes,
                largest=table.largest,
                newest=newest[0] if newest else None,
                machine_sessions=table.counts.machine,
                problems=table.problem_count,
                facets={facet: dict(n) for facet, n in table.counts.everything.items()},
                layout=self.layout,
            )

    def problems(self) -> list[Finding]:
        """What is wrong with the store or single files, as ``Store.problems`` names it."""
        with self._lock:
            return list(self._table.problems())

    def close(self) -> None:
        """Stop watching. A later refresh starts over."""
        with self._refreshing:
            self._save()
            self._leave()

    # -- refreshing --------------------------------------------------------------------

    def refresh(self) -> Refreshed:
        """Take in every change since the last call.

        Costs one system call when nothing changed (with inotify), one read per changed session,
        a ``stat`` per session when the kernel lost count, a read of the whole file for a legacy
        store that changed.
        """
        started = time.perf_counter()
        with self._refreshing:
            changed, scanned = self._look()
            self._unsaved += changed
            if scanned or changed:
                self._save()
        return Refreshed(changed, scanned, time.perf_counter() - started)

    def _look(self) -> tuple[int, bool]:
        source = self._source
        if not isinstance(source, DirectorySource):
            return self._look_at_layout()
        changes = source.poll()
        if changes.reopen:
            return self._look_at_layout()
        known = self._table.by_id
        if changes.rescan:
            changed = self._apply(source.scan(known, trusted=known))
        elif changes.names:
            changed = self._apply(source.read(changes.names))
        else:
            return 0, False
        if not source.opened.marked and not self._table.session_count:
            # The last session of an unmarked directory is gone: a sessions.json may count again.
            again, _ = self._look_at_layout()
            return changed + again, True
        return changed, changes.rescan

    def _look_at_layout(self) -> tuple[int, bool]:
        problem = self.paths.problem
        if problem is not None and problem.severity == "error":
            return self._give_up([problem])
        for _ in range(_TRIES):
            try:
                layout = detect_layout(self.paths)
                if layout == "directory":
                    return self._open_directory()
                if layout == "legacy":
                    return self._read_legacy()
                if layout == "sqlite":
                    return self._read_sqlite()
                return self._give_up([] if problem is None else [problem])
            except FileNotFoundError:
                continue  # it was swapped between two looks
            except (SessionStoreError, OSError) as error:
                return self._give_up([_finding(error, self.paths)])
        return 0, False

    def _open_directory(self) -> tuple[int, bool]:
        old = self._source
        rows = self._rows_for("directory")
        source = DirectorySource(
            self.paths, rows, max_entry_bytes=self._max_entry_bytes, mode=self._mode
        )
        known = self._table.by_id
        trusted = known if _reads_alike(old, source) else {}
        saved: dict[str, Row] = {}
        if not known and self._use_snapshot:
            trusted = saved = snapshot.load(self.paths.sidecar, rows)
        delta = source.scan(saved or known, trusted=trusted)
        delta.rows = {**saved, **delta.rows}
        self._leave()
        self._source = source
        if not saved:
            self._unsaved += len(delta.rows)
        return self._apply(delta), True

    def _read_legacy(self) -> tuple[int, bool]:
        source = self._source
        if not isinstance(source, LegacySource):
            self._leave()
            self._apply(Delta(rows=dict.fromkeys(self._table.by_id), findings=[]))
            source = self._source = LegacySource(self.paths, self._rows_for("legacy"))
        if not source.has_moved():
            return 0, False
        return self._apply(source.scan(self._table.by_id)), True

    def _read_sqlite(self) -> tuple[int, bool]:
        source = self._source
        if not isinstance(source, SqliteSource):
            self._leave()
            self._apply(Delta(rows=dict.fromkeys(self._table.by_id), findings=[]))
            source = self._source = SqliteSource(
                self.paths, self._rows_for("sqlite"), max_entry_bytes=self._max_entry_bytes
            )
        if not source.has_moved():
            return 0, False
        return self._apply(source.scan(self._table.by_id)), True

    def _give_up(self, findings: list[Finding]) -> tuple[int, bool]:
        """No rows, and why."""
        self._leave()
        return self._apply(Delta(dict.fromkeys(self._table.by_id), findings)), True

    def _leave(self) -> None:
        if isinstance(self._source, DirectorySource):
            self._source.close()
        self._source = None

    def _rows_for(self, layout: str) -> Rows:
        if self._rows.layout != layout:
            self._rows = Rows(layout, self.paths.agent_id)
        return self._rows

    def _apply(self, delta: Delta) -> int:
        with self._lock:
            return self._table.apply(delta)

    # -- saving ------------------------------------------------------------------------

    def _save(self) -> None:
        """Write a snapshot, if that is allowed, worth it, and not done lately by anybody."""
        source = self._source
        if not self._use_snapshot or not self._unsaved or not isinstance(source, DirectorySource):
            return
        if len(self._table.by_id) < self._snapshot_from:
            return
        age_s = snapshot.age_of(self.paths.sidecar, time.time())
        if age_s is not None and 0 <= age_s < _SAVE_EVERY_S:
            return
        self._settle_stamps(source)
        rows = list(self._table.by_id.values())
        snapshot.save(self.paths.sidecar, rows, agent_id=self.paths.agent_id)
        self._unsaved = 0

    def _settle_stamps(self, source: DirectorySource) -> None:
        """Give rows that were read right after their write the stamp that they have now.

        A file that did not change between the last poll and the next one is what its row says.
        """
        young = {name: row for name, row in self._table.by_id.items() if not row.stamp}
        stamps = {name: source.stamp(row.file_name) for name, row in young.items() if row.has_key}
        changes = source.poll()
        if changes.reopen or changes.rescan:
            self._look_at_layout()
            return
        delta = source.read(changes.names)
        for name, stamp in stamps.items():
            if name not in delta.rows:
                young[name].restamp(stamp)
        self._apply(delta)


_INDEXES: weakref.WeakSet[Index] = weakref.WeakSet()


def _renew_all_after_fork() -> None:
    for index in list(_INDEXES):
        index.renew_after_fork()


os.register_at_fork(after_in_child=_renew_all_after_fork)


def _reads_alike(old: object, new: DirectorySource) -> bool:
    """Whether rows read through ``old`` mean the same through ``new``."""
    return isinstance(old, DirectorySource) and old.opened.marked is new.opened.marked


def _finding(error: Exception, paths: StorePaths) -> Finding:
    if isinstance(error, SessionStoreError):
        return finding_of(error, str(paths.store_path))
    text = f"cannot watch {paths.directory}: {error}"
    return Finding("unreadable", "error", None, str(paths.directory), text, "")
