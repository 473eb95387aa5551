"""Where damaged and superseded files go: set aside with the reason, never deleted."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .entries import encode
from .errors import SessionStoreError
from .files import (
    close_directory,
    copy_name,
    ensure_directory,
    io_error,
    move_into,
    open_directory,
    sync_descriptor,
)
from .locks.staging import Staging


def set_aside(
    sidecar: Path,
    staging: Staging,
    name: str,
    *,
    from_fd: int,
    key: str | None,
    reason: str,
    stays: bool = False,
) -> bool:
    """Keep ``name`` of the directory ``from_fd`` in ``quarantine/``; False: it is gone.

    Two files appear: ``<ms>-<random>.file`` with the bytes (or the link itself) as they were,
    and ``<ms>-<random>.json`` with key, name, reason and time. The reason is written first, so
    a crash leaves a reason without a file, never a file without a reason.

    ``stays`` leaves the name where it is as well, for a caller that renames a new file over it:
    readers then never see the session missing, whatever happens in between.

    Raises:
        StoreIOError: nothing was moved.
    """
    with _noted(sidecar, staging, name=name, key=key, reason=reason) as (to_fd, stem):
        keep = copy_name if stays else move_into
        kept = keep(name, f"{stem}.file", from_fd=from_fd, to_fd=to_fd)
        sync_descriptor(to_fd, sidecar / "quarantine")
        return kept


def keep_bytes(sidecar: Path, staging: Staging, data: bytes, *, key: str, reason: str) -> None:
    """Keep what an operator's write is about to replace and what is no file of its own."""
    with _noted(sidecar, staging, name=None, key=key, reason=reason) as (to_fd, stem):
        _put(staging, data, sidecar / "quarantine" / f"{stem}.file", to_fd)


@contextmanager
def _noted(
    sidecar: Path, staging: Staging, *, name: str | None, key: str | None, reason: str
) -> Iterator[tuple[int, str]]:
    folder = sidecar / "quarantine"
    ensure_directory(folder)
    to_fd = open_directory(folder)
    try:
        now_ms = time.time_ns() // 1_000_000
        stem = f"{now_ms}-{secrets.token_hex(6)}"
        note = {"key": key, "name": name, "reason": reason, "at": now_ms}
        _put(staging, encode(note), folder / f"{stem}.json", to_fd)
        yield to_fd, stem
    finally:
        close_directory(to_fd)


def _put(staging: Staging, data: bytes, path: Path, to_fd: int) -> None:
    try:
        staging.put(data, path.name, to_fd=to_fd, durability="strict", created=True)
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("write", path, error) from error
