"""One session at a time: a row of a source against the session that is there.

Under the session's own lock. The newest ``updatedAt`` wins in both directions, equals keep the
directory's; what is replaced is kept as a version, and a damaged file goes to quarantine.
"""

from __future__ import annotations

from contextlib import suppress

from ..backing import Backing
from ..changes import Change
from ..entries import Entry, decode, equal, updated_at_ms
from ..entryfiles import read_entry
from ..errors import CorruptEntryError, InvalidEntryError, UnsafeFileError
from ..files import folder_of, sync_descriptor, sync_file_system, sync_named_file
from ..kept import Keeper, Keeping
from ..keys import locate
from ..layout import DAMAGED, New, Terms
from ..opened import OpenDirectory
from ..recording import reporter_of
from .fresh import Order
from .shapes import PlannedSession
from .sources import Row
from .workspace import Workspace


class Merger:
    """Merges rows; says which were written, which were equal and which could not be."""

    def __init__(self, work: Workspace, order: Order, opened: OpenDirectory) -> None:
        self.work = work
        self.opened = opened
        self.max_entry_bytes = order.max_entry_bytes
        self.merged: dict[str, Row] = {}
        self.equal: set[str] = set()
        self.blocked: dict[str, PlannedSession] = {}
        self.keeper = Keeper(reason="migration", action="migration")
        self.backing = Backing(
            work.paths,
            max_entry_bytes=order.max_entry_bytes,
            recorder=reporter_of(work.paths.sidecar),
            gateway_lock_dir=order.gateway_lock_dir,
        )

    def close(self) -> None:
        """Let go of the locks' descriptors."""
        self.backing.close()

    def merge(self, row: Row) -> None:
        """Let a row compete with the session of its key, under the session's lock.

        Raises:
            SessionStoreError: the session is as it was.
        """
        key = row.key
        self.merged.pop(key, None)
        self.equal.discard(key)

        def decide(old: bytes | None) -> New:
            if old is None or old is DAMAGED:
                return row.data
            theirs, ours = decode(row.data), decode(old)
            if equal(theirs, ours):
                self.equal.add(key)
                return None
            return row.data if row.updated_at_ms > (updated_at_ms(ours) or 0) else None

        keeping = Keeping(
            self.keeper,
            self.work.paths,
            self.backing.staging,
            key=key,
            transform=decide,
        )

        def transform(old: bytes | None) -> New:
            # A session that was not there replaces nothing, so there is nothing to keep.
            new = decide(old) if old is None else keeping.transform(old)
            if new is not None:
                self.merged[key] = row
            return new

        change = Change(key, self.backing.path_of, self.max_entry_bytes, create=True, if_match=None)
        terms = Terms("migrate", max(self.work.timeout, 1.0), "none", heal=True)
        try:
            self.backing.run(change, transform, terms)
        except InvalidEntryError as error:
            self.merged.pop(key, None)
            place = locate(key)
            self.blocked[key] = PlannedSession(
                key, "blocked", row.source, len(row.data), place.file_name, error.message
            )
            return
        except BaseException:
            keeping.failed(lambda: self._entry(key))
            raise
        keeping.done()

    def _entry(self, key: str) -> Entry | None:
        data = read_entry(self.opened, locate(key), self.max_entry_bytes)
        return None if data is None else decode(data)

    def is_stored(self, row: Row) -> bool:
        """Whether it reads back equal; writers may have changed it since it was merged."""
        try:
            data = read_entry(self.opened, locate(row.key), self.max_entry_bytes)
        except (CorruptEntryError, UnsafeFileError):
            return False
        return data == row.data

    def sync(self) -> None:
        """Make the merged sessions durable before the marker says that they are taken."""
        if not self.merged or sync_file_system(self.opened.fd, self.opened.path):
            return
        for key in self.merged:
            with folder_of(locate(key).file_name, self.opened.fd) as (folder_fd, last):
                # why: a writer may have deleted it since; then there is nothing to sync
                with suppress(FileNotFoundError):
                    sync_named_file(last, dir_fd=folder_fd)
                sync_descriptor(folder_fd, self.opened.path)
