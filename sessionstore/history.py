"""Earlier incarnations of a session: what ``reset`` replaced (PR 6653, requirement A8).

Kept beside the store, one file per key, so that they are no sessions: not listed, not counted,
never the answer to ``get``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .entries import Entry, NotAnEntryError, decode, encode, is_finite_number, updated_at_ms
from .errors import CorruptStoreError, SessionStoreError
from .files import (
    Durability,
    close_directory,
    ensure_directory,
    io_error,
    open_directory,
    read_file,
)
from .locks.staging import Staging
from .paths import StorePaths
from .quarantine import set_aside

MAX_INCARNATIONS = 200


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One earlier life of a session key; times in epoch milliseconds, None when unknown.

    ``transcript`` is where its text was when it ended; OpenClaw's own reset renames that file.
    """

    session_id: str | None
    started_at_ms: int | None
    updated_at_ms: int | None
    ended_at_ms: int
    transcript: str | None
    label: str | None


def incarnations(paths: StorePaths, key: str) -> list[Incarnation]:
    """What was reset, oldest first. Opens one file.

    Raises:
        CorruptStoreError: the history file is damaged; the session itself is not concerned.
    """
    return [_from_json(row) for row in _read(paths, key)]


def remember(
    paths: StorePaths,
    staging: Staging,
    key: str,
    entry: Entry,
    *,
    now_ms: int,
    durability: Durability,
) -> None:
    """Append the incarnation that ``entry`` is; the caller holds the key's lock.

    Killed before the reset itself is written, the same incarnation is not listed twice:
    the next reset finds it and keeps one. A damaged history goes to quarantine: what a reset
    replaces must not depend on it.
    """
    try:
        rows = _read(paths, key)
    except CorruptStoreError as error:
        with _folder(paths) as fd:
            reason = error.message
            set_aside(paths.sidecar, staging, _name(key), from_fd=fd, key=key, reason=reason)
        rows = []
    rows = [row for row in rows if row.get("sessionId") != entry.get("sessionId")]
    rows.append(_to_json(paths, entry, now_ms))
    body = encode({"sessionKey": key, "incarnations": rows[-MAX_INCARNATIONS:]})
    with _folder(paths) as fd:
        try:
            staging.put(body, _name(key), to_fd=fd, durability=durability, created=True)
        except OSError as error:
            if isinstance(error, SessionStoreError):
                raise
            raise io_error("write", _path(paths, key), error) from error


def _read(paths: StorePaths, key: str) -> list[Entry]:
    path = _path(paths, key)
    try:
        rows = decode(read_file(path)).get("incarnations")
    except FileNotFoundError:
        return []
    except NotAnEntryError as error:
        raise CorruptStoreError(
            f"the history {path} {error}", key=key, path=path, hint="move the file away"
        ) from error
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _to_json(paths: StorePaths, entry: Entry, now_ms: int) -> Entry:
    session_id = entry.get("sessionId")
    named = isinstance(session_id, str) and "/" not in session_id and session_id not in ("", ".")
    transcript = str(paths.store_path.parent / f"{session_id}.jsonl") if named else None
    row = {
        "sessionId": session_id,
        "startedAt": entry.get("sessionStartedAt"),
        "updatedAt": updated_at_ms(entry),
        "endedAt": now_ms,
        "sessionFile": entry.get("sessionFile"),
        "transcript": transcript,
        "label": entry.get("label"),
    }
    return {name: value for name, value in row.items() if value is not None}


def _from_json(row: Entry) -> Incarnation:
    def text(name: str) -> str | None:
        return row[name] if isinstance(row.get(name), str) else None

    def time_ms(name: str) -> int | None:
        return int(row[name]) if is_finite_number(row.get(name)) else None

    return Incarnation(
        session_id=text("sessionId"),
        started_at_ms=time_ms("startedAt"),
        updated_at_ms=time_ms("updatedAt"),
        ended_at_ms=time_ms("endedAt") or 0,
        transcript=text("transcript"),
        label=text("label"),
    )


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest() + ".json"


def _path(paths: StorePaths, key: str) -> Path:
    return paths.sidecar / "history" / _name(key)


@contextmanager
def _folder(paths: StorePaths) -> Iterator[int]:
    folder = paths.sidecar / "history"
    ensure_directory(folder)
    fd = open_directory(folder)
    try:
        yield fd
    finally:
        close_directory(fd)
