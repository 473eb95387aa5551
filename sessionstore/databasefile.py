"""OpenClaw's own session database: where it is, and opening it to read and nothing else.

Source: openclaw-format §9.1, §9.4 and §9.6. A connection lives for one call: one that stays open
would keep the gateway from compacting its database. ``immutable`` is never used, so what is in
the ``-wal`` counts. Beside a database that was closed cleanly SQLite itself makes an empty
``-wal`` and ``-shm``; where these could keep the gateway's user out, the database is not opened.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from .errors import (
    CorruptStoreError,
    FileTooLargeError,
    LockTimeoutError,
    SessionStoreError,
    StoreIOError,
    UnsafeFileError,
)
from .files import DEFAULT_MAX_BYTES, link_target, status_of
from .paths import SQLITE_NAME, STORE_NAME, StorePaths

BUSY_S = 0.25
"""How long a call waits for a database that another process has locked."""

LONGEST_S = 2.0
"""How long one statement may work before its next row; a sound table needs microseconds."""

NO_SESSIONS_VERSION = 1
"""The form of 2026.5.30 to 7.1, which has credentials and memory and no session."""

Database = sqlite3.Connection
DatabaseError = sqlite3.Error

TABLES = frozenset(
    ("session_nodes", "session_windows", "session_entries", "sqlite_master", "sqlite_schema")
)
_PRAGMAS = frozenset(("user_version", "table_info"))
_ROOM = 65_536  # for what a row has besides its entry
_STEPS = 10_000
_LIMITS = (
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 1 << 20),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
    (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 8),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 200),
    (sqlite3.SQLITE_LIMIT_VDBE_OP, 100_000),
)


def database_path(paths: StorePaths) -> Path:
    """The database that OpenClaw 2026.8 and later keep in place of this store; it may not exist.

    Names as §9.4 gives them: ``agent/openclaw-agent.sqlite`` of an agent, else a file beside the
    store.
    """
    store = paths.store_path
    folder = store.parent
    if store.name == STORE_NAME and folder.name == "sessions" and folder.parent.parent.name:
        if folder.parent.parent.name == "agents":
            return folder.parent / "agent" / SQLITE_NAME
        return folder / SQLITE_NAME
    if store.name == STORE_NAME:
        return folder / SQLITE_NAME
    return store.with_suffix(".sqlite")


def holds_sessions(paths: StorePaths) -> bool:
    """Whether there is a database that has sessions, or may have: one that cannot be read may.

    One ``lstat`` where there is none, else the opening of it.
    """
    path = database_path(paths)
    try:
        if status_of(path) is None:
            return False
        with opened(path) as database:
            return user_version(database) != NO_SESSIONS_VERSION
    except FileNotFoundError:
        return False
    except SessionStoreError:
        return True


def has_replaced_file(paths: StorePaths) -> bool:
    """Whether sessions are in the database and there is no ``sessions.json`` any more."""
    status = status_of(paths.store_path)
    is_there = status is not None and not stat.S_ISDIR(status.st_mode)
    return not is_there and holds_sessions(paths)


def check_file(path: Path) -> os.stat_result:
    """The status of the database, if it may be opened.

    Raises:
        FileNotFoundError: there is none.
        UnsafeFileError: it, a file beside it or its folder is a link or no regular file.
        StoreIOError: opening it would make a file that keeps the gateway's user out.
    """
    for folder in (path.parent, path.parent.parent):
        if (found := status_of(folder)) is not None and not stat.S_ISDIR(found.st_mode):
            raise _unsafe(folder, found)
    status = status_of(path)
    if status is None:
        raise FileNotFoundError(f"there is no {path}")
    beside = {name: status_of(f"{path}{name}") for name in ("-wal", "-shm", "-journal")}
    for name, found in {"": status, **beside}.items():
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise _unsafe(Path(f"{path}{name}"), found)
    if beside["-shm"] is None and os.geteuid() not in (0, status.st_uid):
        raise StoreIOError(
            f"{path.name} is not in use now, and reading it would leave files that keep its "
            "owner out",
            path=path,
            hint="start the gateway, or read it as the user that the database belongs to",
        )
    return status


@contextmanager
def opened(path: Path, *, max_entry_bytes: int = DEFAULT_MAX_BYTES) -> Iterator[sqlite3.Connection]:
    """A connection that can only read, and only the tables of sessions. Texts come as bytes.

    Raises:
        FileNotFoundError: there is no database.
        LockTimeoutError: another process has it locked.
        CorruptStoreError: it is no SQLite database, or damaged.
        UnsafeFileError, StoreIOError.
    """
    before = check_file(path)
    began = time.monotonic()
    try:
        uri = f"{path.as_uri()}?mode=ro"
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        with closing(connection) as database:
            _restrict(database, max_entry_bytes)
            database.execute("PRAGMA user_version").fetchone()  # opens the file
            after = status_of(path)
            if after is None or (after.st_dev, after.st_ino) != (before.st_dev, before.st_ino):
                raise StoreIOError(
                    f"{path} was replaced while it was opened", path=path, hint="try again"
                )
            yield database
    except sqlite3.Error as error:
        raise error_of(error, path, waited_s=time.monotonic() - began) from error


def _restrict(database: sqlite3.Connection, max_entry_bytes: int) -> None:
    """Whatever the file holds, it can neither be changed through this nor work for long."""
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max_entry_bytes + _ROOM)
    for limit, most in _LIMITS:
        database.setlimit(limit, most)
    database.text_factory = bytes
    database.execute("PRAGMA query_only = ON")
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    database.execute("PRAGMA mmap_size = 0")
    database.set_authorizer(_may)
    allow_time(database)


def allow_time(database: sqlite3.Connection) -> None:
    """Start the clock anew that ends a statement which works for too long."""
    ends = time.monotonic() + LONGEST_S
    database.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)


def _may(
    action: int, first: str | None, second: str | None, schema: str | None, source: str | None
) -> int:
    """Let only plain reads of the tables of sessions through; no view, no function."""
    allowed = (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and first in TABLES and source is None)
        or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def user_version(database: sqlite3.Connection) -> int:
    """The number of the form that the tables have."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def is_too_long(error: sqlite3.Error) -> bool:
    """Whether one value of a row is over the limit."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_TOOBIG


_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DISK = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)


def error_of(error: sqlite3.Error, path: Path, *, waited_s: float = 0.0) -> SessionStoreError:
    """The same in our words: locked, out of reach, taking too long, or damaged."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    said = _said(error)
    if code in _BUSY:
        return LockTimeoutError(
            f"{path.name} is locked by another process, which {BUSY_S:g} s did not change",
            path=path,
            waited_s=waited_s,
            hint="a gateway that starts, or a repair of it, locks it for a while: try again",
        )
    if code in _DISK:
        return StoreIOError(f"cannot open {path}: {said}", path=path, hint=_hint(path))
    if code == sqlite3.SQLITE_INTERRUPT:
        return StoreIOError(
            f"{path.name} did not give its next row within {LONGEST_S:g} s",
            path=path,
            hint="the disk is slow, or the tables are not those that OpenClaw makes",
        )
    if is_too_long(error):
        return FileTooLargeError(f"a row of {path.name} is over the limit", path=path)
    return CorruptStoreError(
        f"{path} cannot be read as a session database: {said}",
        path=path,
        hint="let OpenClaw check it (openclaw doctor); nothing here changes it",
    )


def _said(error: sqlite3.Error) -> str:
    return str(error)[:200]


def _hint(path: Path) -> str:
    """What reading needs besides the file itself (§9.6)."""
    with suppress(SessionStoreError):
        if status_of(f"{path}-shm") is None:
            return (
                f"{path.name}-shm is not there and cannot be made: reading needs the folder to be "
                "writable, or a gateway that has the database open"
            )
    return f"it takes the right to read {path.name} and to write {path.name}-shm"


def _unsafe(path: Path, status: os.stat_result) -> UnsafeFileError:
    if stat.S_ISLNK(status.st_mode):
        return UnsafeFileError(
            f"{path.name} is a symbolic link, which is not followed",
            path=path,
            hint=f"it points to {link_target(path)}; put the real file here",
        )
    return UnsafeFileError(
        f"{path.name} is not a regular file", path=path, hint="move it out of the way"
    )
