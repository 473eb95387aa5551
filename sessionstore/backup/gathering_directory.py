"""The sessions of a linked ``sessions.d``, into an archive."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from .. import entryfiles, files
from ..blobs import is_folded
from ..entries import etag, updated_at_ms
from ..errors import Finding, StoreIOError, UnsafeFileError
from ..index.loading import names_by_inode
from ..index.naming import classify, printable
from ..keys import MARKER_NAME, SIDE_AREA
from ..layout import Scanned
from ..opened import OpenDirectory
from ..treefiles import Reader
from .gathering import Gathered, is_too_large, is_wrapped, not_kept
from .snapshot import ENTRIES, Snapshot

MARKER_SOURCE = "store.json"


def gather_directory(
    snapshot: Snapshot,
    found: Gathered,
    *,
    keys: Collection[str] | None,
    max_entry_bytes: int,
) -> None:
    """Add every session of the tree (only those of ``keys``, where some are named).

    In a directory that nobody adopted the newest of several files of one key is the session, by
    the rule of ``adoption``; the others are kept as damaged files are.
    """
    _Run(snapshot, found, keys, max_entry_bytes).gather()


class _Run:
    def __init__(
        self,
        snapshot: Snapshot,
        found: Gathered,
        keys: Collection[str] | None,
        max_entry_bytes: int,
    ) -> None:
        tree = replace(snapshot.paths, directory=snapshot.folder.path / ENTRIES)
        self.opened = OpenDirectory(tree)
        self.opened.path = snapshot.paths.directory  # what messages are to name
        self.snapshot = snapshot
        self.found = found
        self.keys = None if keys is None else frozenset(keys)
        self.max_bytes = max_entry_bytes
        self.aside: list[tuple[str, str | None, Finding]] = []

    def gather(self) -> None:
        names = names_by_inode(self.opened.fd)
        if MARKER_NAME in names and self.keys is None:
            with Reader(MARKER_NAME, dir_fd=self.opened.fd) as reader:
                self.found.add_source(MARKER_SOURCE, reader)
        self.found.expect(len(names))
        for claims in self._claims(names):
            self._add_best(claims)
        for name, key, finding in self.aside:  # last: in the order of the manifest
            self._add_aside(name, key, finding)
        self.found.findings += [
            not_kept(self.opened.path_of(printable(name)), "it is a link or special file")
            for name in sorted(self.snapshot.unkept)
        ]

    def _claims(self, names: list[str]) -> Iterator[list[str]]:
        """The names of each session's files; more than one only where nobody adopted them."""
        names = [name for name in names if name not in (MARKER_NAME, SIDE_AREA)]
        side = [f"{SIDE_AREA}/{name}" for name in self.opened.side_names()]
        if self.snapshot.marked:
            yield from ([name] for name in names + side)
            return
        claims: dict[str, list[str]] = {}
        for name in names:
            named = classify(name, marked=False)
            if named is not None and named.session:
                claims.setdefault(named.key or name, []).append(name)
        for name in side:
            read = entryfiles.scan_file(self.opened, name, None, self.max_bytes)
            key = name if read is None or read.key is None else read.key
            claims.setdefault(key, []).append(name)
        yield from claims.values()

    def _add_best(self, names: list[str]) -> None:
        reads = [(name, read) for name in names if (read := self._read(name)) is not None]
        if not reads:
            return
        best, read = reads[0] if len(reads) == 1 else max(reads, key=_rank)
        if read.problem is not None or read.key is None or read.entry is None:
            assert read.problem is not None
            self.aside.append((best, read.key, read.problem))
        else:
            self.found.add_session(read.key, self._bytes_of(best, read), read.entry)
        for name, loser in reads:
            if name != best:
                problem = loser.problem or self._duplicate(name, loser.key, best)
                self.aside.append((name, loser.key, problem))

    def _read(self, name: str) -> Scanned | None:
        named = classify(name, marked=self.snapshot.marked)
        if named is None or not named.session or name in self.snapshot.unkept:
            return None
        if self.keys is not None and named.key is not None and named.key not in self.keys:
            return None
        read = entryfiles.scan_file(self.opened, name, named.key, self.max_bytes)
        if read is None or (self.keys is not None and read.key not in self.keys):
            return None
        return read

    def _bytes_of(self, name: str, read: Scanned) -> bytes:
        assert read.key is not None
        if name.startswith(f"{SIDE_AREA}/"):  # read.data is unwrapped; the file's own bytes count
            stored = entryfiles.unwrap(raw := self._raw(name), name, self.opened)[1]
            if is_folded(stored):
                return entryfiles.wrap(read.key, read.data, max_bytes=2 * self.max_bytes)
            return raw
        if is_wrapped(read.key):  # a hidden or long name of an older program
            return entryfiles.wrap(read.key, read.data, max_bytes=2 * self.max_bytes + (1 << 20))
        return read.data

    def _raw(self, name: str) -> bytes:
        return files.read_file(name, dir_fd=self.opened.fd, max_bytes=self.max_bytes)

    def _duplicate(self, name: str, key: str | None, best: str) -> Finding:
        return Finding(
            "duplicate-key",
            "warning",
            key,
            self.opened.path_of(name),
            f"{name} and {best} are one session; {best} is the newer",
            "the older one is in the backup too, as damaged files are",
        )

    def _add_aside(self, name: str, key: str | None, finding: Finding) -> None:
        file = f"{self.snapshot.paths.directory.name}/{printable(name)}"
        path = self.opened.path_of(printable(name))
        try:
            with (
                files.folder_of(name, self.opened.fd) as (fd, last),
                Reader(last, dir_fd=fd) as reader,
            ):
                if is_too_large(reader):
                    self.found.findings.append(not_kept(path, "it has over 8 GiB", key=key))
                else:
                    self.found.add_aside(file, reader, key=key, finding=finding)
        except (FileNotFoundError, UnsafeFileError):
            self.found.findings.append(not_kept(path, "it is a link or special file", key=key))
        except StoreIOError as error:
            if error.path != name.rpartition("/")[2]:
                raise  # of the archive, not of this file
            self.found.findings.append(not_kept(path, error.message, key=key))


def _rank(claim: tuple[str, Scanned]) -> tuple[bool, int, str, str]:
    name, read = claim
    if read.entry is None:
        return (False, 0, "", name)
    return (True, updated_at_ms(read.entry) or 0, etag(read.entry), name)
