"""One at a time, for what no session's lock protects: labels are unique in a whole store.

A kernel lock on a file of its own beside the store's other locks, so a dead process holds
nothing. Take it before any session's lock and never while holding one. Waiting polls every 5 ms;
for what people do that is soon enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import LockTimeoutError, SessionStoreError
from ..files import FILE_MODE, ensure_directory, io_error, status_of

_POLL_S = 0.005


@contextmanager
def alone(sidecar: Path, name: str, *, timeout: float) -> Iterator[None]:
    """Keep out everybody else who asks for this name, in any process, for ``timeout`` seconds.

    Raises:
        LockTimeoutError: somebody else was at it all that time.
        UnsafeFileError, StoreIOError: the lock file cannot be made or locked.
    """
    path = sidecar / f"{name}.lock"
    ensure_directory(sidecar)
    lock = FileLock(path, mode=FILE_MODE, poll_interval=_POLL_S, fallback_to_soft=False)
    try:
        lock.acquire(timeout=timeout)
    except Timeout as error:
        raise LockTimeoutError(
            f"another change of {name} took longer than {timeout:g} s",
            path=path,
            waited_s=timeout,
            hint="nothing was written; try again",
        ) from error
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("lock", path, error) from error
    try:
        yield
    finally:
        lock.release()


def claim(sidecar: Path, name: str) -> Callable[[], None] | None:
    """Be the only one with this name until the returned function is called, or the process dies.

    None at once while another process, or another claim of this one, has it. Any thread may give
    it back. Not to be kept across a fork: the child would keep it as well.

    Raises:
        UnsafeFileError, StoreIOError: the lock file cannot be made or locked.
    """
    path = sidecar / f"{name}.lock"
    ensure_directory(sidecar)
    lock = FileLock(path, mode=FILE_MODE, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("lock", path, error) from error
    return lock.release


def is_claimed(sidecar: Path, name: str) -> bool:
    """Whether somebody has the name now. Has it for a moment where nobody does.

    Raises:
        UnsafeFileError, StoreIOError: that cannot be told.
    """
    if status_of(sidecar / f"{name}.lock") is None:
        return False
    release = claim(sidecar, name)
    if release is None:
        return True
    release()
    return False
