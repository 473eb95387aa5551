"""The sessions of a linked ``sessions.json``, into an archive: row by row, and the file itself."""

from __future__ import annotations

from collections.abc import Collection

from .. import entryfiles
from ..errors import Finding, SessionStoreError
from ..legacyfile import LegacyFile, read_legacy_file
from ..treefiles import Reader
from .gathering import Gathered, is_wrapped
from .snapshot import STORE_FILE, Snapshot


def gather_legacy(snapshot: Snapshot, found: Gathered, *, keys: Collection[str] | None) -> None:
    """Add the whole file, so that it can come back byte for byte, and each row as a session.

    A selection has the rows only. A file that is not one JSON object is kept as it is; then there
    are no sessions in the backup, which a finding says.
    """
    if keys is None:
        with Reader(STORE_FILE, dir_fd=snapshot.folder.fd) as reader:
            found.add_source(STORE_FILE, reader)
    try:
        file = read_legacy_file(str(snapshot.folder.path / STORE_FILE))
    except SessionStoreError as error:
        found.findings.append(_unreadable(snapshot, error))
        return
    file.path = str(snapshot.paths.store_path)
    found.expect(len(file.rows))
    wanted = None if keys is None else frozenset(keys)
    damaged: list[tuple[str, Finding]] = []
    for row in file.scan():
        if row.key is None or (wanted is not None and row.key not in wanted):
            if row.problem is not None and wanted is None:
                found.findings.append(row.problem)  # the row is in the source
        elif row.problem is not None:
            damaged.append((row.key, row.problem))
        elif row.entry is not None:
            found.add_session(row.key, _bytes_of(row.key, row.data), row.entry)
    for key, finding in damaged:
        found.add_aside(key, _row(file, key), key=key, finding=finding)


def _bytes_of(key: str, data: bytes) -> bytes:
    return (
        entryfiles.wrap(key, data, max_bytes=2 * len(data) + (1 << 20)) if is_wrapped(key) else data
    )


def _row(file: LegacyFile, key: str) -> bytes:
    return file.entry(key) or b""


def _unreadable(snapshot: Snapshot, error: SessionStoreError) -> Finding:
    linked = str(snapshot.folder.path / STORE_FILE)
    path = str(snapshot.paths.store_path)
    return Finding(
        "damaged-store",
        "error",
        None,
        path,
        error.message.replace(linked, path),
        "its bytes are in the backup as they are; no session could be told apart",
    )
