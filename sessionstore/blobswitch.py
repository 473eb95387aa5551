"""Switching blobs on and off for one store, and what they save.

The marker says which, so it holds for every process. Switching changes it in exclusive mode, then
rewrites one session after the other under its lock; stopped anywhere, entries in either form are
read alike, and the same call goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from . import blobs
from .adoption import replace_marker
from .backing import Backing
from .blobs import GRACE_S, Blob, Collected
from .directory import DirectoryStore
from .entryfiles import read_stored
from .errors import SessionStoreError, UnsupportedStoreError
from .files import DEFAULT_MAX_BYTES
from .keys import locate
from .layout import Terms, detect_layout
from .opened import BLOBS_FIELD, BLOBS_FORMAT, MARKER_FORMAT, OpenDirectory, read_marker
from .paths import StorePaths
from .store import Store, check_timeout

State = Literal["on", "leaving", "off"]
Progress = Callable[[int, int, str], object]
"""Sessions done, of how many, and the key of the last."""


@dataclass(frozen=True, slots=True)
class BlobStatus:
    """``leaving``: switched off, with entries that still refer to blobs. Bytes are of files;
    ``saved_bytes`` is how much larger the entries would be whole, less what the blobs take
    (``blob_bytes``, retired ones included)."""

    state: State
    folded: int
    blobs: int
    blob_bytes: int
    retired: int
    saved_bytes: int


@dataclass(frozen=True, slots=True)
class BlobsReport:
    """What a switch did. ``failed`` has the sessions that could not be rewritten, with why."""

    state: State
    rewritten: int
    failed: dict[str, str] = field(default_factory=dict)


def set_blobs(
    store: Store, enabled: bool, *, timeout: float = 30.0, progress: Progress | None = None
) -> BlobsReport:
    """Keep large values of this store once by their content, or in each entry again.

    Takes effect at once in processes that meet a folded entry or open the store later; one that
    has written to it before and meets none goes on storing whole entries, which is as good.
    Rewrites every entry that is in the other form, each under its lock: etags and ``get`` give
    the same as before. A session that fails (a missing blob, a busy lock) is named and stops no
    other; call again for those.

    Raises:
        UnsupportedStoreError: not in the directory layout.
        LockTimeoutError, StoreIOError: the switch itself was not made.
    """
    timeout = check_timeout(timeout)
    with _backing(store.paths, store.max_entry_bytes) as backing:
        directory = _directory(backing, timeout)
        state: State = "on" if enabled else "leaving"
        _mark(backing, directory, state, timeout)
        rewritten, failed = _rewrite(backing, directory, enabled, timeout, progress)
        if not enabled and not failed:
            state = "off"
            _mark(backing, directory, state, timeout)
    return BlobsReport(state, rewritten, failed)


def blob_status(paths: StorePaths, *, max_entry_bytes: int = DEFAULT_MAX_BYTES) -> BlobStatus:
    """Whether blobs are on, and what they save. Reads every session's file, and no blob.

    Raises:
        StoreIOError, UnsafeFileError, UnsupportedStoreError: the store cannot be read.
    """
    kept = blobs.list_blobs(paths)
    taken = sum(one.size_bytes for one in kept)
    retired = sum(one.is_retired for one in kept)
    if detect_layout(paths) != "directory":
        return BlobStatus("off", 0, len(kept), taken, retired, -taken)
    opened = OpenDirectory(paths)
    marker = read_marker(opened) or {}
    whole = folded = 0
    for data in blobs.entry_files(paths):
        named = blobs.digests_in(data)
        folded += bool(named)
        whole += sum(size - len(blobs.reference_to(sha256, size)) for sha256, size in named)
    return BlobStatus(_state_of(marker), folded, len(kept), taken, retired, whole - taken)


def collect_blobs(
    store: Store,
    *,
    older_than_s: float = GRACE_S,
    timeout: float = 10.0,
    keep: Collection[str] = (),
) -> Collected:
    """Retire blobs that nothing refers to, and remove those retired for ``older_than_s``.

    ``keep`` are digests of retired ones that stay: ``maintenance.retired_by_runs``.

    Any layout: a store that left the directory layout may have some too. See ``blobs.collect``.

    Raises:
        StoreIOError, LockTimeoutError.
    """
    with _backing(store.paths, store.max_entry_bytes) as backing:
        return blobs.collect(
            store.paths,
            backing.locks,
            older_than_s=older_than_s,
            timeout=check_timeout(timeout),
            keep=keep,
        )


def retire_blob(store: Store, blob: Blob, *, timeout: float) -> bool:
    """Retire one blob in exclusive mode; False when it is not as it was listed.

    Raises:
        LockTimeoutError, StoreIOError: nothing was changed, or the blob is young and in place.
    """
    with (
        _backing(store.paths, store.max_entry_bytes) as backing,
        backing.locks.exclusive("tidy", check_timeout(timeout)),
    ):
        return blobs.retire(store.paths, [blob]) == [blob]


@contextmanager
def _backing(paths: StorePaths, max_entry_bytes: int) -> Iterator[Backing]:
    """One of our own: what the store's recorder reports is updates, and these are none."""
    backing = Backing(paths, max_entry_bytes=max_entry_bytes, recorder=None, gateway_lock_dir=None)
    try:
        yield backing
    finally:
        backing.close()


def _directory(backing: Backing, timeout: float) -> DirectoryStore:
    layout = detect_layout(backing.paths)
    if layout not in ("directory", "empty"):
        raise UnsupportedStoreError(
            f"blobs need one file per session, and {backing.paths.store_path} is {layout}",
            path=backing.paths.store_path,
            hint="migrate the store first; nothing was changed",
        )
    found = backing.write(lambda layout, left: layout, _terms(timeout))
    if not isinstance(found, DirectoryStore):
        raise UnsupportedStoreError(
            f"{backing.paths.store_path} left the directory layout meanwhile",
            path=backing.paths.store_path,
        )
    return found


def _terms(timeout: float) -> Terms:
    # Never less durable than what is replaced was likely to be: it is one rewrite per session.
    return Terms("blobs", timeout, "relaxed")


def _state_of(marker: dict[str, object]) -> State:
    state = marker.get(BLOBS_FIELD)
    return "on" if state == "on" else "leaving" if state == "leaving" else "off"


def _mark(backing: Backing, directory: DirectoryStore, state: State, timeout: float) -> None:
    """Write the marker anew, if it says otherwise. Nobody is between asking it and writing."""
    with backing.locks.exclusive("blobs", timeout):
        opened = directory.directory.current()
        marker = None if opened is None else read_marker(opened)
        if opened is None or marker is None:
            raise UnsupportedStoreError(
                f"{directory.paths.directory} was removed meanwhile",
                path=directory.paths.directory,
            )
        if _state_of(marker) != state:
            wanted: dict[str, Any] = {**marker, "format": BLOBS_FORMAT, BLOBS_FIELD: state}
            if state == "off":
                wanted["format"] = MARKER_FORMAT
                del wanted[BLOBS_FIELD]
            replace_marker(opened, backing.staging, wanted)
        opened.folds = state == "on"


def _rewrite(
    backing: Backing,
    directory: DirectoryStore,
    enabled: bool,
    timeout: float,
    progress: Progress | None,
) -> tuple[int, dict[str, str]]:
    rewritten, failed = 0, {}
    nothing: list[str] = []
    keys = backing.read(lambda layout: layout.keys(), nothing)
    for number, key in enumerate(keys, 1):
        try:
            if _is_other(directory, key, enabled):
                _store_again(backing, key, timeout)
                rewritten += 1
        except SessionStoreError as error:
            failed[key] = error.message
        if progress is not None:
            progress(number, len(keys), key)
    return rewritten, failed


def _is_other(directory: DirectoryStore, key: str, enabled: bool) -> bool:
    """Whether the file is in the form that is to go. Looked at without a lock."""
    opened = directory.directory.current()
    if opened is None:
        return False
    data = read_stored(opened, locate(key), directory.max_entry_bytes)
    if data is None:
        return False
    return blobs.has_large_values(data) if enabled else blobs.is_folded(data)


def _store_again(backing: Backing, key: str, timeout: float) -> None:
    """The same bytes once more, in the form that is to be now."""
    place = locate(key)
    backing.write(lambda layout, left: layout.change(place, lambda old: old, left), _terms(timeout))
