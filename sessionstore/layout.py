"""Which layout a store is in, and what every layout can do.

``directory`` and ``legacy`` implement :class:`Layout`; ``store`` builds the public calls on it
and on nothing else, so that a store in another medium needs only these calls.
"""

from __future__ import annotations

import enum
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

from .databasefile import holds_sessions
from .entries import Entry, NotAnEntryError, decode
from .errors import Finding, LockTimeoutError, SessionStoreError
from .files import Durability, list_names, read_file, status_of
from .keys import MARKER_NAME, SIDE_AREA, Place, is_side_name, key_from_name
from .paths import StorePaths

LayoutName = Literal["directory", "legacy", "sqlite", "empty"]

GUARD_NOTE_NAME = "README.txt"
"""The only file that a guard directory may hold."""

STATE_FILE = "state.json"
STATE_KIND = "openclaw-session-store-directory"  # layout-variants §1, L4


class _Remove(enum.Enum):
    REMOVE = enum.auto()


REMOVE: Final = _Remove.REMOVE

Put = bytes | Literal[_Remove.REMOVE]
"""New bytes, or REMOVE."""

New = Put | None
"""New bytes, REMOVE, or None for no change."""

DAMAGED: Final = b'{"\\u0000damaged": true}'
"""Given to a transform for a damaged file that it may replace: an entry that equals no other."""

Transform = Callable[[bytes | None], New]
"""From an entry's bytes (None: there is none) to its new bytes, REMOVE, or None for no change."""

Bulk = Callable[[dict[str, bytes]], dict[str, Put]]
"""From all sound entries to the new bytes of those that change."""


class Spent(Protocol):
    """What a transform tells of itself besides its result; see ``changes.Change``."""

    merged_ns: int
    changed_bytes: int


class LayoutMovedError(Exception):
    """The store is no longer in this layout: look again and start over. Never leaves ``store``."""


class Terms(NamedTuple):
    """How one change is carried out."""

    operation: str
    timeout: float
    durability: Durability
    heal: bool = False
    """Move a damaged or unsafe file to quarantine instead of raising."""
    queued_ns: int = 0
    """Waited already, in line behind other calls of this process."""
    limit_s: float = 0.0
    """What the caller allowed, of which ``timeout`` is what is left."""

    def until(self, ends: float) -> Terms:
        """The same with what is left of a deadline (``time.monotonic()``); 0 stays 0: one try.

        Raises:
            LockTimeoutError: nothing is left.
        """
        if not self.timeout:
            return self
        left_s = ends - time.monotonic()
        if left_s <= 0:
            raise LockTimeoutError(
                f"the {self.operation} ran out of its {self.timeout:.3g} s before its turn came",
                waited_s=self.timeout,
                hint="nothing was written; allow more time",
            )
        return self._replace(timeout=left_s)


@dataclass(frozen=True, slots=True)
class Scanned:
    """One thing found while scanning: a sound entry, as bytes and parsed, or what is wrong."""

    key: str | None
    data: bytes
    problem: Finding | None = None
    entry: Entry | None = None


class Readable(Protocol):
    """What can be read in any layout; all keys are folded and valid."""

    @property
    def name(self) -> LayoutName: ...

    def read(self, place: Place) -> bytes | None: ...

    def keys(self) -> list[str]: ...

    def scan(self) -> Iterator[Scanned]: ...


class Layout(Readable, Protocol):
    """What a layout that can be written does as well."""

    def change(
        self, place: Place, transform: Transform, terms: Terms, *, spent: Spent | None = None
    ) -> None: ...

    def change_many(
        self, changes: dict[str, Transform], terms: Terms
    ) -> dict[str, SessionStoreError]: ...

    def mutate_all(self, compute: Bulk, terms: Terms) -> None: ...


def detect_layout(paths: StorePaths) -> LayoutName:
    """Look at the disk: which layout holds this store's sessions now. Two to four calls.

    A marked ``sessions.d``, or an unmarked one that holds anything of a session store, is
    ``directory``; otherwise a ``sessions.json`` is ``legacy``, so an empty unmarked
    ``sessions.d`` never hides it. Where neither is, and OpenClaw's own database may hold the
    sessions, it is ``sqlite``, which is only read; telling takes the opening of it.
    """
    if _has_directory(paths):
        return "directory"
    status = status_of(paths.store_path)
    if status is not None and not stat.S_ISDIR(status.st_mode):
        return "legacy"
    # No file, or a guard, which holds no sessions. A migration may have switched between the
    # two looks: the directory comes before the file goes, so a third look cannot miss it.
    if _has_directory(paths):
        return "directory"
    return "sqlite" if holds_sessions(paths) else "empty"


def _has_directory(paths: StorePaths) -> bool:
    status = status_of(paths.directory)
    if status is None:
        return False
    if not stat.S_ISDIR(status.st_mode):
        return True  # a link or a file stands there: opening it says why not
    return is_marked(paths) or _holds_entries(paths)


def is_guard(paths: StorePaths) -> bool:
    """Whether a guard stands at the store's path: a directory with nothing but a note in it.

    Programs of the JSON era cannot write there and fail loudly, where they would otherwise start
    an empty store (openclaw-interop, last section). It holds no sessions.
    """
    status = status_of(paths.store_path)
    if status is None or not stat.S_ISDIR(status.st_mode):
        return False
    try:
        return set(list_names(paths.store_path)) <= {GUARD_NOTE_NAME}
    except FileNotFoundError:
        return False


def is_marked(paths: StorePaths) -> bool:
    """Whether the directory has our marker."""
    return status_of(paths.directory / MARKER_NAME) is not None


def _holds_entries(paths: StorePaths) -> bool:
    try:
        names = list_names(paths.directory)
        if any(key_from_name(name) is not None for name in names):
            return True
        if SIDE_AREA in names and any(map(is_side_name, list_names(paths.directory / SIDE_AREA))):
            return True
    except FileNotFoundError:
        return False
    return foreign_layout(paths.directory, names) is not None


def foreign_layout(directory: Path, names: list[str]) -> str | None:
    """The older per-session layout that wrote this directory, when it is not ours to write."""
    if STATE_FILE in names and _is_state_file(directory):
        return "entries/ with a state.json (OpenClaw PR 51946)"
    for name in names:
        if name.startswith(".") or name == SIDE_AREA or key_from_name(name) is not None:
            continue
        if status_of(directory / name / "meta.json") is not None:
            return "one folder per session with a meta.json (OpenClaw PR 19528)"
    return None


def _is_state_file(directory: Path) -> bool:
    try:
        state = decode(read_file(directory / STATE_FILE))
    except (FileNotFoundError, NotAnEntryError, SessionStoreError):
        return False
    return state.get("kind") == STATE_KIND
