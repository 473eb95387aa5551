"""Files of reports that nobody appends to any more."""

from __future__ import annotations

import stat
from dataclasses import dataclass

from ..errors import StoreIOError
from ..files import list_names, remove_file, status_of
from ..locks.owned import Held, read_owned
from .scanning import AHEAD_MS, HEAD_BYTES, MOST_HEADER_BYTES, Scan, identity_of, scan, sources_in
from .segments import MOST_FILE_BYTES, MOST_FILES, TEMPORARY, Span, is_own_host, names_in, span_of

_JUST_MADE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Closed:
    """One such file. ``is_own_host`` is whether a living owner would have shown."""

    name: str
    size: int
    changed_at_ms: int
    span: Span | None
    is_own_host: bool

    @property
    def newest_ms(self) -> int:
        """When its newest report ends, as far as that shows without reading it."""
        return self.changed_at_ms if self.span is None else self.span.newest_ms


def sweep_replaced(folder_fd: int) -> set[str]:
    """Remove what merged files replace and a killed tidying left; return what would not go.

    Only for the one process that tidies.
    """
    for name in list_names(folder_fd):
        if name.startswith(TEMPORARY):
            remove_file(name, dir_fd=folder_fd)
    kept: set[str] = set()
    names = names_in(folder_fd)[:MOST_FILES]
    sources = {one for name in names for one in sources_of(name, folder_fd=folder_fd)}
    for name in {one.rpartition(":")[0] for one in sources}.intersection(names):
        identity = identity_of(name, _read(folder_fd, name, HEAD_BYTES))
        if identity in sources:
            try:
                remove_file(name, dir_fd=folder_fd)
            except StoreIOError:
                kept.add(identity)
    return kept


def sources_of(name: str, *, folder_fd: int) -> list[str]:
    """What a merged file was made of; a writer's file replaces nothing."""
    if span_of(name) is None:
        return []
    return sources_in(_read(folder_fd, name, MOST_HEADER_BYTES))


def find_closed(folder_fd: int, *, but: set[str], now_ms: int) -> list[Closed]:
    """Regular files whose owner does not show; ``but`` are identities to leave out."""
    left_out = {one.rpartition(":")[0] for one in but}
    found = []
    for name in names_in(folder_fd)[:MOST_FILES]:
        if _is_just_made(name, folder_fd, now_ms):
            continue
        try:
            owned = read_owned(name, dir_fd=folder_fd)
        except FileNotFoundError:
            continue
        if owned is None or owned.is_locked or name in left_out:
            continue
        status, span = owned.status, span_of(name)
        changed_at_ms = status.st_mtime_ns // 1_000_000
        is_own = span is not None or is_own_host(name)
        found.append(Closed(name, status.st_size, changed_at_ms, span, is_own))
    return found


def _is_just_made(name: str, folder_fd: int, now_ms: int) -> bool:
    """Whether its owner may be about to lock it, which looking could keep it from."""
    status = status_of(name, dir_fd=folder_fd)
    if status is None or status.st_size:
        return False
    return abs(now_ms - status.st_mtime_ns // 1_000_000) < _JUST_MADE_MS


def read_closed(folder_fd: int, one: Closed, now_ms: int, held: Held) -> Scan:
    """Its reports. Nothing where it is too large, or its owner has come back to it."""
    if one.size > MOST_FILE_BYTES:
        return Scan(refused=1)
    data = held.read(one.name, dir_fd=folder_fd, max_bytes=MOST_FILE_BYTES)
    if data is None:
        return Scan(refused=1)
    return scan(data, latest_ms=now_ms + AHEAD_MS)


def _read(folder_fd: int, name: str, most: int) -> bytes:
    try:
        owned = read_owned(name, dir_fd=folder_fd, max_bytes=most)
    except FileNotFoundError:
        return b""
    if owned is None or not stat.S_ISREG(owned.status.st_mode):
        return b""
    return owned.data
