"""All sessions of an adopted directory as they are now, and what has changed since a look.

A second look opens only files whose identity (inode, time, size) is another, and none at all where
the directory's own time is the same: writers replace files by rename (``docs/format.md`` §5), which
changes it. A time counts only if it was older than a tick of the clock when it was looked at
(``index.watching.is_settled``): two writes within one tick have the same, and may reuse an inode.
"""

from __future__ import annotations

import time

from ..blobs import BlobError
from ..entries import NotAnEntryError, decode, etag
from ..entryfiles import canonical_key, corrupt_entry, expanded, unwrap
from ..errors import CorruptEntryError, Finding, UnsafeFileError
from ..files import read_file_stat, status_of
from ..index.watching import identity_stamp, is_settled, stamp_of
from ..keys import SIDE_AREA, is_side_name, key_from_name
from ..legacyfile import MAX_STORE_BYTES
from ..opened import OpenDirectory
from .shapes import Progress


class Sessions:
    """Bytes and etags by key; what is damaged is in ``damaged``, by file name."""

    def __init__(self, opened: OpenDirectory) -> None:
        self._opened = opened
        self._seen: dict[str, tuple[int, str | None]] = {}  # stamp (0: read again) and key
        self._times: tuple[int, int] | None = None
        self.data: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.damaged: dict[str, Finding] = {}

    def refresh(self, progress: Progress | None = None) -> set[str]:
        """Look again; the keys that are new, changed or gone. One ``lstat`` per session.

        ``progress`` counts to twice the sessions, for a caller who has as much to do with them.

        Raises:
            StoreIOError: a file cannot be read.
        """
        times, looked_ns = self._directory_times(), time.time_ns()
        if times == self._times:
            return set()
        self._times = times if is_settled(max(times), looked_ns) else None
        names = self._names()
        changed = {key for name in self._seen.keys() - set(names) if (key := self._drop(name))}
        for number, name in enumerate(names, 1):
            status = status_of(name, dir_fd=self._opened.fd)
            known = self._seen.get(name)
            if known is None or status is None or identity_stamp(status) != known[0]:
                changed |= self._look(name)
            if progress is not None:
                progress(number, 2 * len(names), name)
        return changed

    def _directory_times(self) -> tuple[int, int]:
        top = status_of(".", dir_fd=self._opened.fd)
        side = status_of(SIDE_AREA, dir_fd=self._opened.fd)
        return top.st_mtime_ns if top else 0, side.st_mtime_ns if side else 0

    def _names(self) -> list[str]:
        """Names that a session can have; those seen before need no second thought."""
        seen = self._seen
        names = [
            name for name in self._opened.names() if name in seen or canonical_key(name) is not None
        ]
        for name in self._opened.side_names():
            below = f"{SIDE_AREA}/{name}"
            if below in seen or is_side_name(name):
                names.append(below)
        return names

    def _look(self, name: str) -> set[str]:
        """Read a file anew; the keys that were or are in it, none where nothing is another."""
        _, known = self._seen.get(name, (0, None))
        before = None if known is None else self.data[known]
        keys = {self._drop(name), key := self._read(name)}
        if key is not None and key == known and self.data[key] == before:
            return set()
        return {one for one in keys if one is not None}

    def _drop(self, name: str) -> str | None:
        self.damaged.pop(name, None)
        _, key = self._seen.pop(name, (None, None))
        if key is not None:
            del self.data[key], self.etags[key]
        return key

    def _read(self, name: str) -> str | None:
        stamp = 0  # of what cannot be read: it is looked at again
        path, looked_ns = self._opened.path_of(name), time.time_ns()
        try:
            data, status = read_file_stat(name, dir_fd=self._opened.fd, max_bytes=MAX_STORE_BYTES)
            stamp = stamp_of(status, looked_ns)
            key = key_from_name(name)  # its name is canonical, or it is below x/
            if key is None:
                key, data = unwrap(data, name, self._opened)
            data = expanded(self._opened, data, MAX_STORE_BYTES)
            self.etags[key] = etag(decode(data))
            self.data[key] = data
        except FileNotFoundError:
            return None
        except (NotAnEntryError, BlobError, CorruptEntryError, UnsafeFileError) as error:
            if isinstance(error, NotAnEntryError | BlobError):
                error = corrupt_entry(canonical_key(name), path, str(error))
            self._seen[name] = (stamp, None)
            self.damaged[name] = Finding(
                "damaged-entry",
                "error",
                canonical_key(name),
                path,
                error.message,
                "it cannot stand in a sessions.json; it stays in the directory that is set aside",
            )
            return None
        self._seen[name] = (stamp, key)
        return key

    def changed_since(self, etags: dict[str, str]) -> list[str]:
        """Keys of ``etags`` that are gone or another by now."""
        return sorted(key for key, seen in etags.items() if self.etags.get(key) != seen)
