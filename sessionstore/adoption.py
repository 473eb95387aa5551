"""Directories that other programs wrote: read them as they are, adopt them at the first write.

An unmarked ``sessions.d`` (OpenClaw PR 42186 and forks) may hold names that we would not
write and two files for one key. Until it is adopted every read scans. Adoption runs once, in
exclusive mode: it settles duplicates and odd names and writes the marker; from then on every
name is canonical and reads are O(1). Killed half-way, it starts again and ends the same.

Which of two files wins: a sound one over a damaged one, then the newest finite ``updatedAt``
(anything else counts as 0), then the greater etag, so that the order of reading never counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .entries import decode, encode, etag, updated_at_ms
from .entryfiles import (
    canonical_key,
    corrupt_entry,
    foreign_file,
    scan_file,
    scan_side_area,
    wrap,
)
from .errors import (
    FileTooLargeError,
    Finding,
    InvalidKeyError,
    SessionStoreError,
    StoreIOError,
    UnsafeFileError,
    UnsupportedStoreError,
)
from .files import io_error, move_into, read_file, remove_file
from .keys import MARKER_NAME, SIDE_AREA, key_from_name, locate
from .layout import Scanned, foreign_layout
from .locks.staging import Staging
from .opened import MARKER_FORMAT, MARKER_KIND, OpenDirectory, read_marker
from .paths import StorePaths
from .quarantine import set_aside


class Candidate(NamedTuple):
    """One file that claims a key."""

    name: str
    found: Scanned


def read_unadopted(opened: OpenDirectory, key: str, max_bytes: int) -> bytes | None:
    """The winning entry of one key; lists the directory and opens only files that claim it.

    Raises:
        CorruptEntryError, UnsafeFileError: the only file that claims the key is damaged.
    """
    refuse_foreign(opened)
    names = [name for name in opened.names() if _folded(name) == key]
    candidates = _candidates(opened, key, names, max_bytes)
    if not candidates:
        return None
    winner = _winner(candidates).found
    if winner.problem is None:
        return winner.data
    path = winner.problem.path or str(opened.path)
    if winner.problem.rule == "unsafe-file":
        raise UnsafeFileError(winner.problem.message, key=key, path=path, hint=winner.problem.hint)
    raise corrupt_entry(key, path, winner.problem.message.removeprefix(path).strip())


def scan_unadopted(opened: OpenDirectory, max_bytes: int) -> Iterator[Scanned]:
    """Every key's winner once, and a finding for each loser and each foreign name."""
    refuse_foreign(opened)
    claims: dict[str, list[str]] = {}
    for name in opened.names():
        if name in (SIDE_AREA, MARKER_NAME):
            continue
        key = _folded(name)
        if key is not None:
            claims.setdefault(key, []).append(name)
        elif not name.startswith("."):
            yield Scanned(None, b"", foreign_file(opened.path_of(name)))
    for found in scan_side_area(opened, max_bytes):
        if found.key is None:
            yield found
        else:
            claims.setdefault(found.key, [])
    for key, names in claims.items():
        yield from _scan_key(opened, key, _candidates(opened, key, names, max_bytes))


def _candidates(
    opened: OpenDirectory, key: str, names: list[str], max_bytes: int
) -> list[Candidate]:
    """What the named files hold, and last the file of the key's own name.

    Last, because that is where an adoption that runs meanwhile moves the winner to.
    """
    own = locate(key).file_name
    return [
        Candidate(name, found)
        for name in [*(name for name in names if name != own), own]
        if (found := scan_file(opened, name, key, max_bytes)) is not None
    ]


def _scan_key(opened: OpenDirectory, key: str, candidates: list[Candidate]) -> Iterator[Scanned]:
    if not candidates:
        return
    winner = _winner(candidates)
    yield winner.found
    for loser in candidates:
        if loser is not winner:
            yield Scanned(None, b"", _duplicate(opened, key, loser, winner))


def _duplicate(opened: OpenDirectory, key: str, loser: Candidate, winner: Candidate) -> Finding:
    return Finding(
        "duplicate-key",
        "warning",
        key,
        opened.path_of(loser.name),
        f"{loser.name} and {winner.name} are both {key!r}; {winner.name} is the newer",
        "the first write to this store moves the older one to quarantine",
    )


def _folded(name: str) -> str | None:
    key = key_from_name(name)
    try:
        return None if key is None else locate(key).key
    except InvalidKeyError:
        return None


def _winner(candidates: list[Candidate]) -> Candidate:
    return max(candidates, key=_rank)


def _rank(candidate: Candidate) -> tuple[bool, int, str, str]:
    if candidate.found.problem is not None:
        return (False, 0, "", candidate.name)
    entry = decode(candidate.found.data)
    return (True, updated_at_ms(entry) or 0, etag(entry), candidate.name)


def refuse_foreign(opened: OpenDirectory) -> None:
    """Refuse an unmarked directory in a layout that only a migration reads.

    Raises:
        UnsupportedStoreError: names the layout.
    """
    if kind := foreign_layout(opened.path, opened.names()):
        raise UnsupportedStoreError(
            f"{opened.path} is in another layout: {kind}",
            path=opened.path,
            hint="import it by a migration; nothing was changed",
        )


def adopt(
    paths: StorePaths,
    opened: OpenDirectory,
    staging: Staging,
    *,
    protocol: str,
    max_bytes: int,
) -> None:
    """Make an unmarked directory ours. The caller holds exclusive mode.

    Cost: one listing, and a read of each file that is odd or shares its key.

    Raises:
        UnsupportedStoreError: it is in another program's layout.
        StoreIOError: stopped half-way; everything is still readable, and the next write
            starts again.
    """
    if read_marker(opened) is not None:
        return
    refuse_foreign(opened)
    opened.restrict()
    claims: dict[str, list[str]] = {}
    for name in opened.names():
        if (key := _folded(name)) is not None:
            claims.setdefault(key, []).append(name)
    for key, names in claims.items():
        if len(names) > 1 or canonical_key(names[0]) is None:
            _settle(paths, opened, staging, key, names, max_bytes)
    write_marker(paths, opened, staging, protocol=protocol)


def _settle(
    paths: StorePaths,
    opened: OpenDirectory,
    staging: Staging,
    key: str,
    names: list[str],
    max_bytes: int,
) -> None:
    """Leave one file for the key, under its own name; the losers go first."""
    target = locate(key).file_name
    if "/" in target:
        opened.make_side_area()
    candidates = _candidates(opened, key, names, max_bytes)
    if not candidates:
        return
    _refuse_unreadable(opened, key, candidates, max_bytes)
    winner = _winner(candidates)
    for loser in candidates:
        if loser is not winner:
            reason = f"an older duplicate of {winner.name}"
            set_aside(
                paths.sidecar,
                staging,
                loser.name,
                from_fd=opened.fd,
                key=key,
                reason=reason,
            )
    if winner.name != target:
        _move(opened, staging, key, winner, target, max_bytes)


def _refuse_unreadable(
    opened: OpenDirectory, key: str, candidates: list[Candidate], max_bytes: int
) -> None:
    """One that this process cannot read may be the newest: settle nothing without knowing."""
    for candidate in candidates if len(candidates) > 1 else ():
        if candidate.found.problem is None:
            continue
        try:
            read_file(candidate.name, dir_fd=opened.fd, max_bytes=max_bytes)
        except (FileTooLargeError, StoreIOError) as error:
            raise UnsupportedStoreError(
                f"two files claim {key!r}, and one cannot be read: {error.message}",
                key=key,
                path=opened.path_of(candidate.name),
                hint="make it readable, or move it out of the store; nothing was changed",
            ) from error
        except (UnsafeFileError, FileNotFoundError):
            continue  # a link or special file is no entry whatever it says


def _move(
    opened: OpenDirectory,
    staging: Staging,
    key: str,
    winner: Candidate,
    target: str,
    max_bytes: int,
) -> None:
    if winner.found.problem is not None or "/" not in target:
        # Same bytes under the right name; a damaged file stays as it is, only findable.
        move_into(winner.name, target, from_fd=opened.fd, to_fd=opened.fd)
        return
    try:
        staging.put(
            wrap(key, winner.found.data, max_bytes=max_bytes),
            target,
            to_fd=opened.fd,
            durability="strict",
            created=True,
        )
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("write", opened.path_of(target), error) from error
    remove_file(winner.name, dir_fd=opened.fd)


def write_marker(
    paths: StorePaths,
    opened: OpenDirectory,
    staging: Staging,
    *,
    protocol: str,
    imports: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write ``.store.json``, durably: from now on every name is canonical.

    ``imports`` says what a migration took over (``docs/format.md`` §4).
    """
    if MARKER_NAME in opened.names():
        set_aside(
            paths.sidecar,
            staging,
            MARKER_NAME,
            from_fd=opened.fd,
            key=None,
            reason="a damaged marker",
        )
    marker: dict[str, Any] = {
        "kind": MARKER_KIND,
        "format": MARKER_FORMAT,
        "created": time.time_ns() // 1_000_000,
        "locks": protocol,
    }
    if imports:
        marker["imports"] = [dict(one) for one in imports]
    replace_marker(opened, staging, marker)


def replace_marker(opened: OpenDirectory, staging: Staging, marker: Mapping[str, Any]) -> None:
    """Put a whole marker in place of the one that is there, at once and durably.

    Raises:
        StoreIOError: the old one stays.
    """
    try:
        data = encode(dict(marker))
        staging.put(data, MARKER_NAME, to_fd=opened.fd, durability="strict", created=True)
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("write", opened.path / MARKER_NAME, error) from error
