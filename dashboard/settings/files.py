"""The console's own files beside the database: its data directory and its secret key."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def private_directory(path: Path, *, setting: str) -> Path:
    """Create ``path`` with mode 0700 where it is missing, and refuse one that others can change."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise ImproperlyConfigured(f"{setting}: {path}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise ImproperlyConfigured(f"{setting}: {path} is not a directory (links are refused)")
    if found.st_uid != os.geteuid():
        raise ImproperlyConfigured(f"{setting}: {path} belongs to another user")
    if found.st_mode & 0o022:
        raise ImproperlyConfigured(f"{setting}: {path} is writable by others; chmod 700 it")
    return path


def secret_key(directory: Path) -> str:
    """Return the secret key kept in ``directory``, making it at the first start.

    Two processes may start at once: both write a file of their own and link it into place,
    and the first link wins.
    """
    path = directory / "secret.key"
    if not path.exists():
        own = directory / f"secret.key.{os.getpid()}.{secrets.token_hex(4)}"
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            with contextlib.suppress(FileExistsError):  # another process was first
                os.link(own, path)
        finally:
            own.unlink()
    return _read_key(path)


def _read_key(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise ImproperlyConfigured(f"secret key {path}: {error.strerror}") from error
    with os.fdopen(descriptor, encoding="ascii") as file:
        found = os.fstat(descriptor)
        if found.st_mode & 0o077:
            raise ImproperlyConfigured(f"secret key {path}: readable by others; chmod 600 it")
        key = file.read(4096).strip()
    if len(key) < 50:
        raise ImproperlyConfigured(f"secret key {path}: shorter than 50 characters")
    return key
