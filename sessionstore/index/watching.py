"""Did ``sessions.d`` change since the last look, and which names?

Two ways behind one class shape. :class:`EventWatch` asks inotify: exact to the name, one system
call when nothing changed. :class:`StatWatch` is for other systems and exhausted limits: three
``stat`` calls, and a moved directory only says that something changed. It does not see a file
that a foreign program rewrites in place, which our writers never do.
"""

from __future__ import annotations

import errno
import itertools
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from .. import files
from ..errors import SessionStoreError
from ..keys import MARKER_NAME, SIDE_AREA
from . import inotify
from .inotify import Inotify

WatchMode = Literal["auto", "inotify", "stat"]

RACY_NS = 40_000_000  # two ticks of the slowest kernel clock (HZ=100), and one to spare
COARSE_RACY_NS = 3_000_000_000  # file systems that keep whole seconds

_forks = itertools.count(1)
_generation = 0


def _count_fork() -> None:
    # A forked child shares the parent's inotify queue, and each would steal the other's
    # events. Asking for the pid instead would cost a system call per refresh.
    global _generation
    _generation = next(_forks)


os.register_at_fork(after_in_child=_count_fork)


def is_settled(changed_ns: int, looked_ns: int) -> bool:
    """Whether a time stamp proves that nothing was written after it (the racy rule).

    A clock that ticks every few ms gives two writes within one tick the same stamp, so a stamp
    is trusted only if it was already old when it was read (performance.md §4).
    """
    margin = RACY_NS if changed_ns % 1_000_000_000 else COARSE_RACY_NS
    return looked_ns - changed_ns > margin


def identity_stamp(status: os.stat_result) -> int:
    """Digest of a file's identity, times and size; never 0."""
    return hash((status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)) or 1


def stamp_of(status: os.stat_result, looked_ns: int) -> int:
    """As :func:`identity_stamp`; 0 when the times cannot be trusted yet."""
    if not is_settled(max(status.st_mtime_ns, status.st_ctime_ns), looked_ns):
        return 0
    return identity_stamp(status)


@dataclass(slots=True)
class Changes:
    """``names`` changed, relative to ``sessions.d``. ``rescan``: any name may have changed.

    ``reopen``: the directory itself was swapped, removed or marked; look at the layout again.
    """

    names: set[str] = field(default_factory=set)
    rescan: bool = False
    reopen: bool = False


class Watch(Protocol):
    """What both ways offer. Begin before the directory is read, or changes get lost."""

    def poll(self) -> Changes: ...

    def close(self) -> None: ...


def watch(directory: Path, fd: int, mode: WatchMode) -> Watch:
    """Watch the directory open at ``fd``, which should be the one at ``directory``.

    Raises:
        OSError: ``mode`` is ``inotify`` and there is none.
    """
    if mode != "stat":
        try:
            return EventWatch(directory, fd)
        except OSError:
            if mode == "inotify":
                raise
    return StatWatch(directory, fd)


class EventWatch:
    """Watches the directory, its side area, and its parents for being swapped."""

    def __init__(self, directory: Path, fd: int) -> None:
        self._generation = _generation
        self._path = directory
        self._parent = Path(files.real_path(directory.parent))
        self._inotify = Inotify()
        try:
            real = str(self._parent / directory.name)
            self._main = self._inotify.watch(real, inotify.CONTENTS | inotify.GONE)
            self._side = self._watch_side()
            self._inotify.watch(str(self._parent), inotify.NAMES | inotify.GONE)
        except OSError:
            self._inotify.close()
            raise
        self._identity = _identity(os.fstat(fd))
        # A link above us can be turned, and a folder that we may not read be renamed, without
        # any event: then the path is looked at each time.
        self._unsure = self._parent != directory.parent
        self._unsure |= not self._watch_ancestors()
        self._stale = self._swapped()

    def _watch_ancestors(self) -> bool:
        """Watch what is above the parent for being renamed; False when some refused."""
        try:
            for ancestor in list(self._parent.parents)[:-1]:
                self._inotify.watch(str(ancestor), inotify.MOVE_SELF | inotify.DELETE_SELF)
        except OSError:
            return False
        return True

    def _watch_side(self) -> int | None:
        try:
            side = str(self._parent / self._path.name / SIDE_AREA)
            return self._inotify.watch(side, inotify.CONTENTS | inotify.GONE)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return None
            raise

    def _swapped(self) -> bool:
        try:
            status = files.status_of(self._path)
        except SessionStoreError:
            return True
        return status is None or _identity(status) != self._identity

    def poll(self) -> Changes:
        """What happened since the last call; exact up to this moment."""
        if self._generation != _generation:
            return Changes(rescan=True, reopen=True)
        changes = Changes(reopen=self._stale or (self._unsure and self._swapped()))
        for event in self._inotify.events():
            self._note(event, changes)
        return changes

    def _note(self, event: inotify.Event, changes: Changes) -> None:
        if event.mask & inotify.QUEUE_OVERFLOW:
            # What was lost may be the swap itself, so look at everything again.
            changes.rescan = changes.reopen = True
        elif event.watch == self._main:
            self._note_main(event, changes)
        elif event.watch == self._side:
            if event.name:
                changes.names.add(f"{SIDE_AREA}/{event.name}")
            elif event.mask & inotify.GONE:
                changes.reopen = True
        elif event.name == self._path.name or (not event.name and event.mask & inotify.GONE):
            changes.reopen = True

    def _note_main(self, event: inotify.Event, changes: Changes) -> None:
        if not event.name:
            changes.reopen |= bool(event.mask & inotify.GONE)
        elif event.name == MARKER_NAME or (event.name == SIDE_AREA and event.mask & inotify.NAMES):
            changes.reopen = True
        elif event.name != SIDE_AREA:
            changes.names.add(event.name)

    def close(self) -> None:
        """Stop watching."""
        self._inotify.close()


class StatWatch:
    """Compares the times of the directory, its side area and its marker."""

    def __init__(self, directory: Path, fd: int) -> None:
        self._path = directory
        self._identity = _identity(os.fstat(fd))
        self._seen, self._settled = self._look()

    def _look(self) -> tuple[tuple[object, ...], bool]:
        looked_ns = time.time_ns()
        seen: list[object] = []
        settled = True
        for path in (self._path, self._path / SIDE_AREA, self._path / MARKER_NAME):
            try:
                status = files.status_of(path)
            except SessionStoreError as error:
                seen.append(str(error))
                continue
            if status is not None:
                changed_ns = max(status.st_mtime_ns, status.st_ctime_ns)
                settled &= is_settled(changed_ns, looked_ns)
                seen.append((*_identity(status), changed_ns, status.st_size))
            else:
                seen.append(None)
        return tuple(seen), settled

    def poll(self) -> Changes:
        """``rescan`` when anything moved, or may have within the clock's last tick."""
        seen, settled = self._look()
        if seen == self._seen and self._settled:
            return Changes()
        reopen = seen[:1] != self._seen[:1] and not self._is_still(seen[0])
        reopen |= seen[2] != self._seen[2]
        self._seen, self._settled = seen, settled
        return Changes(rescan=True, reopen=reopen)

    def _is_still(self, seen: object) -> bool:
        return isinstance(seen, tuple) and seen[:2] == self._identity

    def close(self) -> None:
        """Nothing is held open."""


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
