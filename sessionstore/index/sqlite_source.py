"""Rows of a store in OpenClaw's database: read again when its files' ``stat`` moved.

A commit writes to the ``-wal``, a checkpoint to the database, so their times and sizes tell of
every change without a connection, which would have to stay open for ``PRAGMA data_version``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from .. import files
from ..databasefile import database_path
from ..entries import NotAnEntryError
from ..errors import Finding, LockTimeoutError, SessionStoreError
from ..layout import Scanned
from ..paths import StorePaths
from ..sqlitestore import REFUSED_RULE, SqliteStore
from .directory_source import finding_of
from .fields import parse
from .reading import Rows
from .rows import NO_KEY_PREFIX, Row
from .table import Delta
from .texts import clean
from .watching import is_settled


class SqliteSource:
    """One ``openclaw-agent.sqlite``. Row ids are keys; others begin with ``NO_KEY_PREFIX``."""

    layout = "sqlite"

    def __init__(self, paths: StorePaths, rows: Rows, *, max_entry_bytes: int) -> None:
        self._store = SqliteStore(paths, max_entry_bytes=max_entry_bytes)
        self._path = database_path(paths)
        self._rows = rows
        self._stamp: tuple[int, int] | None = None

    def has_moved(self) -> bool:
        """Two ``stat``. True also while a file is too young for its times to be trusted."""
        looked_ns = time.time_ns()
        stamp = self._stamp_of("", looked_ns), self._stamp_of("-wal", looked_ns)
        moved = 0 in stamp or stamp != self._stamp
        self._stamp = stamp
        return moved

    def _stamp_of(self, suffix: str, looked_ns: int) -> int:
        """What tells one state of a file from the next; 1 for none, 0 where it cannot be trusted.

        ``ctime`` does not count: SQLite gives an empty ``-wal`` to the database's owner at each
        opening by root, ours too.
        """
        try:
            status = files.status_of(f"{self._path}{suffix}")
        except SessionStoreError:
            return 0
        if status is None or not status.st_size:
            return 1
        if not is_settled(status.st_mtime_ns, looked_ns):
            return 0
        return hash((status.st_ino, status.st_mtime_ns, status.st_size)) or 1

    def scan(self, known: Mapping[str, Row]) -> Delta:
        """Read every row; those of unchanged bytes are kept.

        A database that is locked keeps the rows that are known, with a finding, and is read again
        at the next look; one that cannot be read has none.
        """
        findings: list[Finding] = []
        delta = Delta(findings=findings)
        present: set[str] = set()
        try:
            for found in self._store.rows():
                if found.problem is not None and found.problem.rule == REFUSED_RULE:
                    findings.append(found.problem)  # its row is there like any other
                else:
                    self._take(found, known, delta.rows, present)
        except LockTimeoutError as error:
            return Delta(findings=[self._failed(replace(finding_of(error, ""), rule="locked"))])
        except SessionStoreError as error:
            delta.rows.clear()
            present.clear()
            delta.findings = [self._failed(finding_of(error, str(self._path)))]
        delta.rows.update(dict.fromkeys(known.keys() - present))
        return delta

    def _failed(self, finding: Finding) -> Finding:
        self._stamp = None  # look again: a lock that goes leaves no trace in the times
        return finding

    def _take(
        self, found: Scanned, known: Mapping[str, Row], rows: dict[str, Row | None], seen: set[str]
    ) -> None:
        problem, size = found.problem, len(found.data)
        if found.key is None:
            assert problem is not None
            row_id = f"{NO_KEY_PREFIX}{self._path.name}: {clean(problem.message, 300)}"
            seen.add(row_id)
            rows[row_id] = self._rows.problem_row(
                row_id, problem, size=size, place=self._path.name, flags=("no-key",)
            )
            return
        seen.add(found.key)
        stamp = hash(found.data) or 1
        old = known.get(found.key)
        if old is None or old.stamp != stamp or problem is not None:
            rows[found.key] = self._row(found.key, found, stamp)

    def _row(self, key: str, found: Scanned, stamp: int) -> Row:
        place, size, problem = self._path.name, len(found.data), found.problem
        if problem is None:
            try:
                fields = parse(found.data)
            except NotAnEntryError as error:
                problem = self._store.damaged(key, str(error))
            else:
                return self._rows.row(key, fields, size=size, place=place, stamp=stamp)
        return self._rows.problem_row(key, problem, size=size, place=place, stamp=stamp)
