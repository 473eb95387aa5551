"""Which tables and columns each known form of the database has (openclaw-format §9.1, §9.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..databasefile import NO_SESSIONS_VERSION, Database, user_version
from ..errors import UnsupportedStoreError

KNOWN_VERSIONS: Final = {
    4: "session_entries",
    16: "session_nodes",
    19: "session_nodes",
    23: "session_nodes",
}
"""``PRAGMA user_version`` to the table that has one row per session."""

_NEEDED: Final = ("session_key", "entry_json", "updated_at")
_WINDOWS: Final = "session_windows"
_WINDOW_NEEDED: Final = ("session_id", "session_key", "created_at", "updated_at")
_WINDOW_MORE: Final = (
    "previous_session_id",
    "reason",
    "started_at",
    "ended_at",
    "status",
    "display_name",
)


@dataclass(frozen=True, slots=True)
class Schema:
    """What can be read of one database. ``windows`` is empty where it has no such table."""

    version: int
    table: str
    has_valid: bool
    windows: tuple[str, ...] = ()


def schema_of(database: Database, path: Path) -> Schema:
    """The form of an open database.

    Raises:
        UnsupportedStoreError: a number that is not known, or tables that do not fit it.
    """
    version = user_version(database)
    table = KNOWN_VERSIONS.get(version)
    if table is None:
        raise _unknown(version, path)
    columns = _columns(database, table)
    if not columns.issuperset(_NEEDED):
        raise UnsupportedStoreError(
            f"{path.name} says it has form {version}, and has no table {table} of that form",
            path=path,
            hint="it is not read; let OpenClaw check it (openclaw doctor)",
        )
    windows = _columns(database, _WINDOWS)
    shown = (*_WINDOW_NEEDED, *(name for name in _WINDOW_MORE if name in windows))
    return Schema(
        version,
        table,
        "entry_valid" in columns,
        shown if windows.issuperset(_WINDOW_NEEDED) else (),
    )


def _columns(database: Database, table: str) -> frozenset[str]:
    """Columns of a real table; none of a view or a virtual table of that name."""
    found = database.execute(
        "SELECT type, rootpage FROM sqlite_master WHERE name = ?", (table,)
    ).fetchone()
    if found is None or found[0] != b"table" or not found[1]:
        return frozenset()
    # The name is one of ours, so the text is a constant.
    rows = database.execute(f"PRAGMA table_info({table})").fetchall()
    return frozenset(row[1].decode("utf-8", "replace") for row in rows if isinstance(row[1], bytes))


def _unknown(version: int, path: Path) -> UnsupportedStoreError:
    known = ", ".join(map(str, KNOWN_VERSIONS))
    if version == NO_SESSIONS_VERSION:
        return UnsupportedStoreError(
            f"{path.name} has form {version}, which holds no sessions",
            path=path,
            hint="OpenClaw before 2026.7.2 keeps sessions in sessions.json",
        )
    return UnsupportedStoreError(
        f"{path.name} has form {version} (user_version); known are {known}",
        path=path,
        hint="it is not read: a newer OpenClaw may mean other things by the same names",
    )
