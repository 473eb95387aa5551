"""Small files of the console itself, beside its database: replaced whole, read whole.

They are ours alone, so nothing here waits for a store's disk or takes a store's lock.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from sessionstore.errors import StoreIOError
from sessionstore.files import ensure_directory, list_names, read_file, remove_file

_MOST_BYTES = 64 << 20


def replace(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 whole; whoever reads sees the old one or the new one.

    Not synced: after a crash of the machine the old one may be back.

    Raises:
        OSError: the disk refused.
    """
    ensure_directory(path.parent)
    own = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        own.replace(path)
    except BaseException:
        own.unlink(missing_ok=True)
        raise


def content(path: Path) -> bytes | None:
    """All of a file; None when there is none, or none that can be read."""
    try:
        return read_file(path, max_bytes=_MOST_BYTES)
    except (FileNotFoundError, StoreIOError):
        return None


def names(folder: Path, suffix: str) -> list[str]:
    """Names that end so in a folder of ours, in order; none where the folder is missing."""
    try:
        return sorted(name for name in list_names(folder) if name.endswith(suffix))
    except (FileNotFoundError, StoreIOError):
        return []


def remove(path: Path) -> None:
    """Remove a file that may be gone already."""
    remove_file(path)
