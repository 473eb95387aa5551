"""What is in a ``sessions.d``, name by name: three programs and ours may share one directory.

A name is classified by what it is, not by who is thought to have written the rest
(layout-variants §5 and §7.3): ``entries/`` and ``state.json`` are PR 51946's (L4), a folder with
a ``meta.json`` is 19528's (L2), a ``.json`` file is 42186's (L3) or ours.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

from ...entries import NotAnEntryError, decode
from ...entryfiles import canonical_key
from ...errors import SessionStoreError
from ...files import read_file
from ...keys import MARKER_NAME, SIDE_AREA, is_side_name, key_from_name
from ...layout import STATE_FILE, STATE_KIND
from ...paths import StorePaths
from .reading import Folder, below, opened

ENTRIES = "entries"
META = "meta.json"
_DEEPEST = 64
"""Levels of folders that a key with slashes may have made; a path ends long before."""


State = Literal["", "sound", "damaged"]
"""Of PR 51946's ``state.json``; empty where there is none."""


class DirectoryState(enum.StrEnum):
    """What ``sessions.d`` is, for a migration. ``files``: PR 42186's only, adopted in place."""

    ABSENT = "absent"
    EMPTY = "empty"
    OURS = "ours"
    FILES = "files"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Parts:
    """The names of one directory by what they are. ``folders`` are relative paths.

    ``unreadable`` are folders that could not be opened, so what is in them is not known.
    """

    marked: bool = False
    state: State = ""
    entries: bool = False
    files: tuple[str, ...] = ()
    side_files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def has_foreign(self) -> bool:
        """Whether something of L2 or L4 is in it."""
        return self.entries or bool(self.state or self.folders or self.unreadable)


def classify(paths: StorePaths) -> DirectoryState:
    """Say what ``sessions.d`` holds. Cost: one listing, and a look at each name that is no file.

    Raises:
        UnsafeFileError: a link or a file stands in its place.
        StoreIOError: it cannot be listed.
    """
    with opened(paths.directory, paths.directory.name) as folder:
        return DirectoryState.ABSENT if folder is None else state_of(sort_names(folder))


def state_of(parts: Parts) -> DirectoryState:
    """The state that these parts make."""
    if parts.marked:
        return DirectoryState.OURS
    if parts.has_foreign:
        return DirectoryState.FOREIGN
    if parts.files or parts.side_files:
        return DirectoryState.FILES
    return DirectoryState.EMPTY


def sort_names(folder: Folder) -> Parts:
    """Sort a directory's names by what they are."""
    names = folder.names()
    entries = ENTRIES in names and _is_entries(folder)
    state = _state_file(folder, entries) if STATE_FILE in names else ""
    files, folders, others = [], [], []
    unreadable: list[str] = []
    for name in names:
        if name in (MARKER_NAME, SIDE_AREA) or (name == ENTRIES and entries):
            continue
        if name == STATE_FILE and state:
            continue
        if key_from_name(name) is not None and not folder.is_folder(name):
            files.append(name)
        elif found := _session_folders(folder, name, _DEEPEST, unreadable):
            folders += found
        elif not name.startswith("."):
            others.append(name)
    side = _side_names(folder) if SIDE_AREA in names else ()
    if META in side:  # the folder of PR 19528's for a session called "x"
        folders.append(SIDE_AREA)
    return Parts(
        marked=MARKER_NAME in names,
        state=state,
        entries=entries,
        files=tuple(files),
        side_files=tuple(name for name in side if is_side_name(name)),
        folders=tuple(folders),
        others=tuple(others),
        unreadable=tuple(unreadable),
    )


def _is_entries(folder: Folder) -> bool:
    """``entries/`` is PR 51946's unless it is a session's folder of 19528's."""
    if not folder.is_folder(ENTRIES):
        return False
    with below(folder, ENTRIES) as inner:
        return not inner.is_there(META)


def _state_file(folder: Folder, entries: bool) -> State:
    """What ``state.json`` is: PR 51946's, or a session called ``state``.

    A damaged one beside an ``entries/`` is (window W13); a sound one is if it says so.
    """
    try:
        state = decode(read_file(STATE_FILE, dir_fd=folder.fd))
    except FileNotFoundError:
        return ""
    except (NotAnEntryError, SessionStoreError):
        return "damaged" if entries else ""
    return "sound" if state.get("kind") == STATE_KIND else ""


def _session_folders(folder: Folder, name: str, levels: int, unreadable: list[str]) -> list[str]:
    """Relative paths of the folders that hold a ``meta.json``, at any depth below ``name``.

    A key with a slash made folders in folders. Links are not followed. A folder that cannot be
    opened goes to ``unreadable`` and hides no other.
    """
    if not levels or not folder.is_folder(name):
        return []
    found = []
    try:
        with below(folder, name) as inner:
            names = inner.names()
            if META in names:
                found.append(name)
            for one in names:
                if one != META:
                    deeper = _session_folders(inner, one, levels - 1, unreadable)
                    found += [f"{name}/{path}" for path in deeper]
    except FileNotFoundError:
        return []  # gone since it was listed
    except SessionStoreError:
        unreadable.append(folder.path_of(name))
    return found


def _side_names(folder: Folder) -> tuple[str, ...]:
    if not folder.is_folder(SIDE_AREA):
        return ()
    with below(folder, SIDE_AREA) as inner:
        return tuple(inner.names())


def is_canonical(name: str) -> bool:
    """Whether an adopted directory reads a top-level file of this name."""
    return canonical_key(name) is not None
