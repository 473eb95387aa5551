"""A ``sessions.json`` for programs of the JSON era, written somewhere else; the store stays."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from ..backing import Backing
from ..entries import Entry, RawValue, apply_patch, decode, encode, join, split
from ..errors import Finding, StoreIOError, UnsafeFileError
from ..files import (
    close_directory,
    io_error,
    open_directory,
    real_path,
    remove_quietly,
    rename_new,
    status_of,
    sync_descriptor,
    write_new,
)
from ..layout import Scanned
from ..paths import StorePaths
from ..store import Store
from ..transcripts import find_transcript
from .cautions import cautions
from .jsonfile import member, to_bytes
from .shapes import ExportReport


def export_legacy(store: Store, path: str | os.PathLike[str]) -> ExportReport:
    """Write every session of a store, whichever layout it is in, to a new file.

    ``sessionFile`` is rewritten to where the transcript really is, or left out: then a program
    looks for ``<sessionId>.jsonl`` beside the file (openclaw-interop, "Gotchas"). All else keeps
    its bytes. The file appears whole, with mode 0600, or not at all. Takes no lock.

    Raises:
        UnsafeFileError: ``path`` is one of the store's own, or something is there already.
        StoreIOError: it cannot be written, or does not read back equal.
        SessionStoreError: the store cannot be read.
    """
    target = Path(os.path.abspath(path))
    _refuse_own(store.paths, target)
    scanned = _scan(store)
    sessions = {
        one.key: one.data for one in scanned if one.key is not None and one.entry is not None
    }
    findings = [one.problem for one in scanned if one.problem is not None]
    findings += [
        one for one in cautions(store.paths, sessions) if one.rule != "transcript-elsewhere"
    ]
    named: dict[str, RawValue] = {}
    for key in sorted(sessions):
        data, finding = _portable(store.paths, key, sessions[key])
        named[key], exact = member(data)
        if finding is not None:
            findings.append(finding)
        if not exact:
            findings.append(_rewritten(key))
    data = to_bytes(named)
    _write(target, data)
    return ExportReport(
        path=target,
        sessions=len(named),
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        findings=tuple(findings),
    )


def _scan(store: Store) -> list[Scanned]:
    backing = Backing(
        store.paths,
        max_entry_bytes=store.max_entry_bytes,
        recorder=None,
        gateway_lock_dir=None,
    )
    nothing: list[Scanned] = []
    try:
        return backing.read(lambda layout: list(layout.scan()), nothing)
    finally:
        backing.close()


def _portable(paths: StorePaths, key: str, data: bytes) -> tuple[bytes, Finding | None]:
    """The entry with a ``sessionFile`` that leads to the transcript, or without one."""
    entry = decode(data)
    named = entry.get("sessionFile")
    if "sessionFile" not in entry:
        return data, None
    found = find_transcript(paths, key, entry)
    where = str(found.path) if found.is_there and found.path is not None else None
    if where == named:
        return data, None
    finding = Finding(
        "session-file",
        "info",
        key,
        None,
        f"the sessionFile of {key!r} was {'left out' if where is None else 'corrected'}: it did "
        "not lead to the transcript",
        "",
    )
    return _with_file(data, entry, where), finding


def _with_file(data: bytes, entry: Entry, where: str | None) -> bytes:
    fields = split(data)
    if fields is None:
        changed = {name: value for name, value in entry.items() if name != "sessionFile"}
        return encode(changed if where is None else {**entry, "sessionFile": where})
    apply_patch(fields, {"sessionFile": where})
    return join(fields)


def _rewritten(key: str) -> Finding:
    return Finding(
        "rewritten",
        "warning",
        key,
        None,
        f"{key!r} held what strict JSON cannot carry; it was written in JSON's own way",
        "numbers that are none (NaN) became null",
    )


def _refuse_own(paths: StorePaths, target: Path) -> None:
    home = Path(real_path(paths.store_path.parent))
    real = Path(real_path(target.parent)) / target.name
    own = (home / paths.store_path.name, home / paths.directory.name, home / ".sessionstore")
    lock = home / f"{paths.store_path.name}.lock"
    if real == lock or any(real == one or one in real.parents for one in own):
        raise UnsafeFileError(
            f"{target} is one of the store's own paths",
            path=target,
            hint="export to another name; to go back to sessions.json, roll back",
        )
    if status_of(target) is not None:
        raise UnsafeFileError(
            f"{target} exists already", path=target, hint="nothing was written; choose a new name"
        )


def _write(target: Path, data: bytes) -> None:
    """Write under a name that nobody knows, sync, read back by status, and rename."""
    try:
        fd = open_directory(target.parent, named=True)
    except FileNotFoundError as error:
        raise io_error("write", target, error) from error
    temporary = f".{secrets.token_hex(8)}.tmp"
    try:
        try:
            write_new(temporary, data, dir_fd=fd, sync="strict")
            rename_new(temporary, target.name, dir_fd=fd)
        except OSError as error:
            remove_quietly(temporary, dir_fd=fd)
            if isinstance(error, StoreIOError):
                raise
            raise io_error("write", target, error) from error
        sync_descriptor(fd, target.parent)
    finally:
        close_directory(fd)
