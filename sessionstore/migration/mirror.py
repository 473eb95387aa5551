"""The mirror: a copy of the directory layout in ``sessions.json``, for readers of the old form.

What PR 4664 wanted, without its losses (layout-variants W1 to W3): the directory is the only
truth, the copy goes one way and is made anew from it, so a process killed anywhere loses nothing,
and a deletion is never undone. Off by default. A reader of the copy sees data that is at most
``interval_s`` old, as long as one write takes less than two fifths of that; beyond it, the lag
that :func:`.mirror_switch.mirror_status` tells is honest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import ConflictError, Finding, LockTimeoutError, SessionStoreError
from ..files import io_error, status_of
from ..layout import is_marked
from ..locks.alone import claim
from ..mirrorfile import read_mirror
from ..store import Store
from .mirror_copy import DirectoryCopy
from .mirror_problems import is_directory, is_stopped, no_directory
from .mirror_writing import Copy, CopyWriter

INTERVAL_S = 5.0
RUNNING = "mirror"
"""The name that the process which mirrors a store has claimed."""


Identity = tuple[int, int, int, int] | None
_UNKNOWN: Identity = (0, 0, 0, 0)


class Mirror:
    """Keeps the copy of one store up, while it is switched on. One thread's; close it.

    Of several processes one mirrors; the others wait idle, and one takes over when it dies. Not to
    be used across a fork.
    """

    def __init__(self, store: Store, *, interval_s: float = INTERVAL_S) -> None:
        """``interval_s``: how old the copy may be. It looks every fifth of that and writes at
        most once in three fifths."""
        if not interval_s > 0:
            raise ValueError(f"interval_s is a number of seconds above 0, not {interval_s!r}")
        self.paths = store.paths
        self._max_entry_bytes = store.max_entry_bytes
        self._look_every_s = interval_s / 5
        self._write_every_s = interval_s * 3 / 5
        self._looked: float | None = None
        self._began: float | None = None
        self._release: Callable[[], None] | None = None
        self._copy: DirectoryCopy | None = None
        self._writer: CopyWriter | None = None
        self._checked: Identity = _UNKNOWN
        self._unsure = True

    def tick(self, now: float) -> bool:
        """Do what is due at ``now`` (seconds of any clock that only goes on); True when the copy
        was written. Never waits for more than a few seconds; a pass that fails is tried again.

        Raises:
            SessionStoreError: the disk refused; nothing was lost, and the next tick tries again.
        """
        if self._looked is not None and now - self._looked < self._look_every_s:
            return False
        self._looked = now
        state = read_mirror(self.paths)
        if not state.enabled or is_stopped(state):
            self.close()
            return False
        if not self._claim():
            return False
        try:
            if not self._must_write() or not self._may_write(now):
                return False
            self._began = now
            return self._write()
        except FileNotFoundError:  # another directory by now, or none: a restore, a rollback
            self._drop_copy()
            self._began = None
            if not is_marked(self.paths):
                self._files().note(no_directory(self.paths))
            return False

    def run(self, stop: threading.Event) -> None:
        """Tick until ``stop`` is set. What the disk or a lock refuses is shown as the mirror's
        problem and tried again."""
        try:
            while not stop.is_set():
                try:
                    self.tick(time.monotonic())
                except SessionStoreError as error:
                    self._note(error)
                except OSError as error:  # the watch's: no descriptor left, say
                    self._note(io_error("mirror", self.paths.store_path, error))
                stop.wait(self._look_every_s)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of everything; another process may take over. A later tick starts anew."""
        self._drop_copy()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        release, self._release = self._release, None
        if release is not None:
            release()

    # -- one pass ----------------------------------------------------------------------

    def _must_write(self) -> bool:
        """Whether the copy may be outdated. A few system calls where nothing happened."""
        self._unsure |= self._poll()
        seen = _identity_of(self.paths.store_path)
        if seen != self._checked:
            # Somebody touched the file: a copy that is gone is written again, another is foreign.
            self._files().notice()
            self._unsure |= seen is None or is_directory(self.paths)
            self._checked = seen
        return self._unsure

    def _poll(self) -> bool:
        """Whether a session changed; True also where the directory is another one by now."""
        if self._copy is not None:
            try:
                return self._copy.poll()
            except FileNotFoundError:
                self._drop_copy()
        self._copy = DirectoryCopy(self.paths, max_entry_bytes=self._max_entry_bytes)
        return True

    def _may_write(self, now: float) -> bool:
        return self._began is None or now - self._began >= self._write_every_s

    def _write(self) -> bool:
        copy = self._copy
        assert copy is not None
        as_of_ms = time.time_ns() // 1_000_000
        copy.poll()
        copy.refresh()
        made = Copy(copy.to_bytes(), as_of_ms, copy.sessions, copy.left_out)
        written = self._files().write(made)
        self._checked = _UNKNOWN  # the next look reads the file, whoever wrote it since
        self._unsure = written is None
        return bool(written)

    # -- what is held ------------------------------------------------------------------

    def _claim(self) -> bool:
        """Be the one process that mirrors this store; False while another is."""
        self._release = self._release or claim(self.paths.sidecar, RUNNING)
        return self._release is not None

    def _files(self) -> CopyWriter:
        if self._writer is None:
            self._writer = CopyWriter(self.paths)
        return self._writer

    def _drop_copy(self) -> None:
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.close()

    def _note(self, error: SessionStoreError) -> None:
        self._unsure = True  # the next pass writes, or finds the copy sound and says so
        path = error.path or str(self.paths.store_path)
        waits = isinstance(error, LockTimeoutError | ConflictError)
        problem = Finding(
            "mirror-waits" if waits else "mirror-failed",
            "warning" if waits else "error",
            None,
            path,
            error.message,
            error.hint,
        )
        try:
            self._files().note(problem)
        except SessionStoreError:
            self.close()  # a disk that refuses the note as well; the lag tells


def _identity_of(path: Path) -> Identity:
    status = status_of(path)
    if status is None:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
