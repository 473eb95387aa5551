"""What is known of a store's mirror: ``mirror.json`` in the store's own folder.

The mirror is a copy of the directory layout in ``sessions.json``, for readers that know only the
old form. Here is what tells that copy from a file that somebody else wrote: the digests of what
was last written. ``migration.mirror`` makes the copy.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .entries import NotAnEntryError, decode, encode
from .errors import Finding, SessionStoreError, Severity
from .files import close_directory, ensure_directory, io_error, open_directory, read_file
from .locks.staging import Staging
from .paths import StorePaths

MIRROR_NAME = "mirror.json"
MAX_COPY_BYTES = 1 << 30
FOREIGN_CHANGE = "mirror-foreign-change"

_HEX = frozenset("0123456789abcdef")
_SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


@dataclass(frozen=True, slots=True)
class MirrorState:
    """``digests``: SHA-256 of the copy that is there and, in the middle of a write, of the next.

    ``as_of_ms`` is when the look began whose result the copy holds, ``written_at_ms`` when it was
    last replaced (epoch; 0: never). ``left_out`` counts damaged entries. ``problem`` says why the
    copy is not kept up.
    """

    enabled: bool = False
    digests: tuple[str, ...] = ()
    as_of_ms: int = 0
    written_at_ms: int = 0
    sessions: int = 0
    size_bytes: int = 0
    left_out: int = 0
    problem: Finding | None = None


def read_mirror(paths: StorePaths) -> MirrorState:
    """The state; of a store that never had a mirror, that it is off. Opens one small file.

    A damaged file counts as off and knows no digest, with a problem that says so.

    Raises:
        StoreIOError, UnsafeFileError: the file cannot be read.
    """
    path = paths.sidecar / MIRROR_NAME
    try:
        found = decode(read_file(path, max_bytes=1 << 20))
    except FileNotFoundError:
        return MirrorState()
    except NotAnEntryError as error:
        return MirrorState(problem=_damaged(path, str(error)))
    try:
        return _parse(found)
    except (KeyError, TypeError, ValueError) as error:
        return MirrorState(problem=_damaged(path, f"has an odd {error}"))


def write_mirror(paths: StorePaths, staging: Staging, state: MirrorState) -> None:
    """Replace the state, its bytes on disk before its name.

    Raises:
        StoreIOError, UnsafeFileError: it is as it was.
    """
    problem = state.problem
    data = encode(
        {
            "enabled": state.enabled,
            "digests": list(state.digests),
            "asOf": state.as_of_ms,
            "writtenAt": state.written_at_ms,
            "sessions": state.sessions,
            "bytes": state.size_bytes,
            "leftOut": state.left_out,
            "problem": None
            if problem is None
            else {
                "rule": problem.rule,
                "severity": problem.severity,
                "path": problem.path,
                "message": problem.message,
                "hint": problem.hint,
            },
        }
    )
    ensure_directory(paths.sidecar)
    put_file(paths.sidecar / MIRROR_NAME, staging, data)


def put_file(path: Path, staging: Staging, data: bytes) -> None:
    """Replace one file of mode 0600, its bytes on disk before its name.

    Raises:
        FileNotFoundError, StoreIOError, UnsafeFileError: it is as it was.
    """
    fd = open_directory(path.parent, named=True)
    try:
        staging.put(data, path.name, to_fd=fd, durability="relaxed", created=True)
    except FileNotFoundError:
        raise
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("write", path, error) from error
    finally:
        close_directory(fd)


def is_mirrored(paths: StorePaths) -> bool:
    """Whether the mirror of this store is on. Opens one small file.

    Raises:
        StoreIOError, UnsafeFileError: that cannot be told.
    """
    return read_mirror(paths).enabled


def digest_of(path: Path) -> str | None:
    """SHA-256 of a whole file in hex; None when there is none. Reads all of it.

    Raises:
        UnsafeFileError, StoreIOError: it is a link or special file, or cannot be read.
    """
    try:
        return hashlib.sha256(read_file(path, max_bytes=MAX_COPY_BYTES)).hexdigest()
    except FileNotFoundError:
        return None


def foreign_change(paths: StorePaths) -> Finding:
    """The finding for a file in the mirror's place that the mirror did not write."""
    name = paths.store_path.name
    return Finding(
        FOREIGN_CHANGE,
        "error",
        None,
        str(paths.store_path),
        f"another program has written {name}, which is to be a copy of {paths.directory.name}; "
        "the copy is not kept up until somebody decides, and nothing is taken over from that file",
        "stop that program, look at what it wrote, and set the file aside",
    )


def _damaged(path: Path, why: str) -> Finding:
    return Finding(
        "mirror-state-damaged",
        "error",
        None,
        str(path),
        f"{path.name} is damaged, so the mirror is off and its copy is not known: it {why}",
        "set the copy aside and switch the mirror on again",
    )


def _parse(found: dict[str, Any]) -> MirrorState:
    digests = [one for one in found["digests"] if len(one) == 64 and _HEX.issuperset(one)]
    numbers = [found[name] for name in ("asOf", "writtenAt", "sessions", "bytes", "leftOut")]
    if type(found["enabled"]) is not bool or any(type(number) is not int for number in numbers):
        raise ValueError("value")
    return MirrorState(
        enabled=found["enabled"],
        digests=tuple(digests[:2]),
        as_of_ms=found["asOf"],
        written_at_ms=found["writtenAt"],
        sessions=found["sessions"],
        size_bytes=found["bytes"],
        left_out=found["leftOut"],
        problem=_problem(found["problem"]),
    )


def _problem(found: dict[str, Any] | None) -> Finding | None:
    if found is None:
        return None
    texts = [found[name] for name in ("rule", "message", "hint")]
    path = found["path"]
    if found["severity"] not in _SEVERITIES or any(type(text) is not str for text in texts):
        raise ValueError("problem")
    shown = path if isinstance(path, str) else None
    return Finding(texts[0], found["severity"], None, shown, texts[1], texts[2])
