"""A store that has its directory already: merge the sources into it, session by session.

Each session under its own lock, so writers go on. The newest ``updatedAt`` wins in both
directions; equals keep the directory's. What a run took once is not taken again (``taken``), so
deleted sessions stay deleted; what a killed run had merged is in its own list, for the same
reason. Only the marker and the renaming of the source need the whole store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeGuard

from ..adoption import replace_marker
from ..entries import decode, encode, etag
from ..errors import LockTimeoutError
from ..files import (
    append_line,
    close_directory,
    open_list,
    status_of,
)
from ..locks import LegacyLock
from ..opened import OpenDirectory, read_marker
from .choosing import store_file_source, was_taken
from .fresh import Done, MovedError, Order
from .guard import prepare_guard, put_guard
from .kept import (
    Kept,
    drop_safety_copy,
    import_rows,
    is_as_read,
    keep_store_file,
    open_to_others,
    refuse_beside_gateway,
    safety_copy,
)
from .merging import Merger
from .shapes import Outcome, Source
from .sources import Collected, Row, collect
from .taken import imports_of, read_taken, write_taken
from .workspace import MERGED_NAME, Workspace

_ROUNDS = 3  # without OpenClaw's lock; the next holds it, so that its programs wait


class Merge:
    """One attempt at a store whose directory is there and adopted."""

    def __init__(
        self, work: Workspace, order: Order, collected: Collected, remembered: dict[str, str]
    ) -> None:
        self.work = work
        self.order = order
        self.collected = collected
        self.opened = OpenDirectory(work.paths)
        marker = read_marker(self.opened)
        if marker is None:
            raise MovedError
        self.marker: dict[str, Any] = marker
        self.known = {**read_taken(work.paths, marker), **remembered}
        self.considered = remembered  # shared with a further attempt of this run
        self.sessions = Merger(work, order, self.opened)
        self.kept: str | None = None
        self.finishes: str | None = None
        self._new = bool(remembered)
        self._wrote_imports = False

    def run(self) -> Done:
        """Do it; the source is kept only after every row was considered.

        Raises:
            SessionStoreError: sessions merged so far are whole, and the next run goes on.
        """
        try:
            if self.order.guard:
                prepare_guard(self.work)
            safety_copy(self.work, self._source())
            with self._list() as fd:
                for _ in range(_ROUNDS):
                    self._merge_all(fd)
                    if self._switch(patient=True):
                        return self._finished()
                    self._again()
                with LegacyLock(self.work.paths.store_path).hold(5.0):
                    self._again()
                    self._merge_all(fd)
                    if self._switch(patient=False):
                        return self._finished()
            raise MovedError
        finally:
            self.sessions.close()

    def _source(self) -> Source | None:
        """The ``sessions.json`` that is merged; one without a session is left as it is."""
        if not self.collected.rows:
            return None
        return store_file_source(self.collected, self.work.paths)

    @contextmanager
    def _list(self) -> Iterator[int]:
        fd = open_list(MERGED_NAME, dir_fd=self.work.fd)
        try:
            for key, seen in self.considered.items():
                append_line(fd, _line(key, seen))
            yield fd
        finally:
            close_directory(fd)

    def _again(self) -> None:
        limit = self.order.max_entry_bytes
        self.collected = collect(self.work.paths, max_entry_bytes=limit, into_directory=True)
        safety_copy(self.work, self._source())

    def _merge_all(self, list_fd: int) -> None:
        """Merge what is to be. A session whose lock cannot be had keeps no other from its turn: it
        comes last, and is waited for once more."""
        progress, rows = self.order.progress, self.collected.rows
        again = was_taken(self._source(), self.marker)
        held = []
        for number, (key, row) in enumerate(rows.items(), 1):
            seen = etag(decode(row.data))
            if self.known.get(key) != seen and not (again and row.source == self.work.store_name):
                try:
                    self._merge(row, seen, list_fd)
                except LockTimeoutError:
                    held.append((row, seen))
                    continue
            self.known[key] = self.considered[key] = seen
            if progress is not None:
                progress(number - len(held), len(rows), key)
        for number, (row, seen) in enumerate(held, len(rows) - len(held) + 1):
            self._merge(row, seen, list_fd)
            self.known[row.key] = self.considered[row.key] = seen
            if progress is not None:
                progress(number, len(rows), row.key)

    def _merge(self, row: Row, seen: str, list_fd: int) -> None:
        self._new = True
        self.sessions.merge(row)
        append_line(list_fd, _line(row.key, seen))

    def _switch(self, *, patient: bool) -> bool:
        """Keep the source and say so in the marker; False when it has changed meanwhile.

        The marker comes first: killed between the two, the next run knows the source by its
        digest and only finishes the renaming.
        """
        work = self.work
        imports = self._imports()
        self._wrote_imports = bool(imports)
        if imports:
            write_taken(work.staging, work.paths, work.run_id, self.considered)
        self.sessions.sync()
        with work.alone_with_store("migrate", legacy=patient):
            refuse_beside_gateway(work, self.order.gateway_lock_dir)
            if not is_as_read(work, self.collected):
                return False
            if imports:
                marker = read_marker(self.opened) or self.marker
                rows = [*imports_of(marker), *imports]
                replace_marker(self.opened, work.staging, {**marker, "imports": rows})
            if self.kept is not None:
                if not keep_store_file(work, self.kept, self.collected.identity):
                    return False
                work.sync_home()
            if self.order.guard and put_guard(work):
                work.sync_home()
        return True

    def _imports(self) -> list[Mapping[str, Any]]:
        """The marker's new rows, and in ``kept`` the name that ``sessions.json`` gets."""
        work, source = self.work, self._source()
        self.kept = self.finishes = None
        if source is not None:
            known = [row for row in imports_of(self.marker) if row.get("sha256") == source.sha256]
            name = known[-1].get("kept") if known else None
            if _is_free(work, name):
                self.kept = self.finishes = name
            self.kept = self.kept or work.free_name(work.store_name)
            if not known:
                return import_rows(work, self.collected, Kept(self.kept, None))
        return [] if not self._new else import_rows(work, self.collected, Kept(self.kept, None))

    def _finished(self) -> Done:
        source = self._source()
        sha256 = None if source is None else source.sha256
        drop_safety_copy(self.work, self.kept, sha256)
        outcome: Outcome = "merged"
        if not self._wrote_imports:
            invalid = self.collected.problem == "invalid"
            outcome = "skipped_invalid" if invalid else "already"
        return Done(
            outcome=outcome,
            taken=len(self.sessions.merged),
            equal=len(self.sessions.equal),
            verified=sum(self.sessions.is_stored(row) for row in self.sessions.merged.values()),
            blocked=(*self.collected.blocked, *self.sessions.blocked.values()),
            findings=[*self.collected.findings, *open_to_others(self.work, self.kept)],
            kept=self.kept,
            sha256=sha256,
            finished=self.finishes is not None,
        )


def _line(key: str, seen: str) -> bytes:
    return encode({"key": key, "etag": seen}).replace(b"\n", b"")


def _is_free(work: Workspace, name: object) -> TypeGuard[str]:
    """Whether a killed run's name for what it kept can still be given."""
    if not isinstance(name, str) or "/" in name:
        return False
    return status_of(name, dir_fd=work.home_fd) is None
