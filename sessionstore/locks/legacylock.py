"""OpenClaw's own lock on ``sessions.json``, taken and honoured by its rules.

Valid beside OpenClaw 2026.1.14 to 2026.4.29; later releases of the JSON era take no lock, which
:mod:`.gateway` is for. It is a file that exists while the lock is held, so a crash leaves it
behind, and OpenClaw takes it away from anybody after 30 s: hold it well under ten seconds.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import LockTimeoutError
from ..files import io_error, write_all
from .asides import settle_asides
from .filejudging import judge_file, may_take_over
from .legacypayload import (
    LegacyFile,
    legacy_lock_path,
    new_payload,
    parse_legacy_file,
    read_legacy_file,
)
from .neighbours import Neighbours

_FIRST_PAUSE_S = 0.05
_MAX_PAUSE_S = 1.0
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.ENOENT, errno.EMLINK)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LegacyLock:
    """``sessions.json.lock``. One object serves one holder at a time.

    ``held_since_ms`` (epoch) says since when this object holds it, None when it does not;
    ``took_over`` that it was taken from an owner that is gone.
    """

    def __init__(self, store_path: Path) -> None:
        self.store_path = store_path
        self.path = legacy_lock_path(store_path)
        self.held_since_ms: int | None = None
        self.took_over = False
        self._own: LegacyFile | None = None
        self._pid = 0

    @contextmanager
    def hold(self, timeout: float) -> Iterator[LegacyLock]:
        """Take the lock within ``timeout`` seconds and release it at the end.

        Raises:
            LockTimeoutError: another program kept it; names that program.
            StoreIOError: the lock file cannot be created or read.
        """
        self.acquire(timeout)
        try:
            yield self
        finally:
            self.release()

    def acquire(self, timeout: float) -> None:
        """Take the lock. See :meth:`hold`."""
        started = time.monotonic()
        pause_s = _FIRST_PAUSE_S
        while not self._try():
            left_s = timeout - (time.monotonic() - started)
            if left_s <= 0:
                raise self._timeout_error(timeout, time.monotonic() - started)
            time.sleep(min(pause_s, left_s))
            pause_s = min(pause_s + _FIRST_PAUSE_S, _MAX_PAUSE_S)

    def is_ours(self) -> bool:
        """Whether the lock file is still the one that this object created.

        OpenClaw takes it away from anybody after 30 s, and then writes.
        """
        return self._own is not None and read_legacy_file(self.path) == self._own

    def release(self) -> None:
        """Remove the lock file if it is still ours. Does nothing in a forked child."""
        own, self._own, self.held_since_ms = self._own, None, None
        if own is not None and self._pid == os.getpid():
            try:
                remove_exactly(own)
            except OSError as error:
                self._remove_in_place(own, error)

    def _remove_in_place(self, own: LegacyFile, error: OSError) -> None:
        """After a rename that was refused: a full disk refuses that, but no removal.

        Left behind, the file of a living process would lock everybody out until its end.
        """
        try:
            if read_legacy_file(self.path) == own:
                os.unlink(self.path)
        except OSError:
            raise io_error("remove", self.path, error) from error

    def _try(self) -> bool:
        try:
            if self._create():
                return True
            found = read_legacy_file(self.path)
            if found is None:
                return self._create()
            if may_take_over(found) and remove_exactly(found):
                self.took_over = self._create()
                return self.took_over
            return False
        except OSError as error:
            raise io_error("lock", self.path, error) from error

    def _create(self) -> bool:
        payload = new_payload()
        try:
            status = publish(self.path, payload)
        except FileExistsError:
            return False
        self._own = parse_legacy_file(self.path, status, payload)
        self._pid = os.getpid()
        self.held_since_ms = int(time.time() * 1000)
        return True

    def _timeout_error(self, timeout: float, waited_s: float) -> LockTimeoutError:
        found = read_legacy_file(self.path)
        begin = f"{self.store_path} was locked by another program for {timeout:.3g} s"
        if found is None or found.pid is None:
            return LockTimeoutError(
                begin,
                path=self.path,
                waited_s=waited_s,
                hint="nothing was written; try again",
            )
        holder = f"pid {found.pid}"
        held_s = max(time.time() - found.since_ms / 1000, 0.0)
        judged = judge_file(found, "legacy", Neighbours([found]))
        evidence = " ".join((*judged.evidence, *judged.against))
        return LockTimeoutError(
            f"{begin}: {holder} holds it, {held_s:.1f} s by now. {evidence}",
            holder=holder,
            held_s=held_s,
            path=self.path,
            waited_s=waited_s,
            hint="nothing was written; try again, or stop that program",
        )


def sweep_asides(store_path: Path) -> int:
    """Settle what processes that died while they released this lock left; returns how many.

    Lists the directory; what a living process has renamed stays. See :mod:`.asides`.

    Raises:
        StoreIOError: the directory cannot be listed.
    """
    lock = legacy_lock_path(store_path)
    try:
        return settle_asides(lock.parent, lambda name: name == lock.name, is_dead=may_take_over)
    except OSError as error:
        raise io_error("clear up", lock.parent, error) from error


def publish(path: Path, content: bytes) -> os.stat_result:
    """Create ``path`` with its content at once, as a link to a file that is complete already.

    A process that dies half-way leaves nothing: a lock file without a readable owner would hold
    up everybody for 30 s. Where a file without a name cannot be linked, it is created the way
    OpenClaw does, in two steps.

    Raises:
        FileExistsError: the name is taken.
        OSError: nothing was created.
    """
    try:
        fd = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    except (AttributeError, OSError):
        return _create_named(path, content)
    try:
        write_all(fd, content)
        # Naming a descriptor makes this linkat(2), which can follow; link(2) would not.
        os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
        return os.fstat(fd)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in _NO_LINKS:
            return _create_named(path, content)
        raise
    finally:
        os.close(fd)


def _create_named(path: Path, content: bytes) -> os.stat_result:
    fd = os.open(path, _CREATE, 0o644)
    try:
        write_all(fd, content)
        return os.fstat(fd)
    except BaseException:
        os.unlink(path)  # ours, and too young for anybody to take over
        raise
    finally:
        os.close(fd)


def remove_exactly(seen: LegacyFile) -> bool:
    """Remove the lock file that was seen, never one that has taken its place.

    It is renamed to a name that nobody else knows and looked at again before it is unlinked. If
    it turns out to be another file, it is put back, unless somebody has locked anew meanwhile.

    Raises:
        OSError: the directory cannot be changed.
    """
    if read_legacy_file(seen.path) != seen:
        return False
    aside = seen.path.with_name(f"{seen.path.name}.{os.getpid()}-{secrets.token_hex(6)}")
    try:
        os.rename(seen.path, aside)
    except FileNotFoundError:
        return False
    moved = read_legacy_file(aside)
    is_same = moved is not None and (moved.stamp, moved.content) == (seen.stamp, seen.content)
    if not is_same:
        try:
            os.link(aside, seen.path)
        except FileExistsError:
            pass  # its owner will see that it lost the lock, as with OpenClaw's own take-over
    os.unlink(aside)
    return is_same


def sweep_legacy_lock(store_path: Path) -> None:
    """Remove a lock whose owner is dead, and what our own processes left of one they removed.

    A lock of a dead owner holds up nobody, since everybody takes it over; this is for who leaves
    no traces.

    Raises:
        StoreIOError: the directory cannot be listed or changed.
    """
    path = legacy_lock_path(store_path)
    try:
        found = read_legacy_file(path)
        if found is not None and may_take_over(found):
            remove_exactly(found)
    except OSError as error:
        raise io_error("clear up", path, error) from error
    sweep_asides(store_path)
