"""The incarnations of a session: one row of ``session_windows`` each (openclaw-format §9.3)."""

from __future__ import annotations

from dataclasses import dataclass

from ..databasefile import Database, DatabaseError, allow_time, is_too_long
from ..history import MAX_INCARNATIONS, Incarnation
from .schemas import Schema


@dataclass(frozen=True, slots=True)
class Window:
    """One incarnation; times in epoch ms, None or empty where the database has nothing.

    ``reason`` is why it began: initial, reset, rollover, fork, rewind, switch, recovery or
    compaction.
    """

    session_id: str
    previous_session_id: str
    reason: str
    created_at_ms: int | None
    updated_at_ms: int | None
    started_at_ms: int | None
    ended_at_ms: int | None
    status: str
    display_name: str

    def as_incarnation(self) -> Incarnation:
        """The same in the shape of what a reset of ours ended."""
        started = self.created_at_ms if self.started_at_ms is None else self.started_at_ms
        ended = self.updated_at_ms if self.ended_at_ms is None else self.ended_at_ms
        return Incarnation(
            session_id=self.session_id or None,
            started_at_ms=started,
            updated_at_ms=self.updated_at_ms,
            ended_at_ms=ended or 0,
            transcript=None,
            label=self.display_name or None,
        )


def windows_of(database: Database, schema: Schema, key: str) -> list[Window]:
    """Those of one key as it is spelt, oldest first; the newest 200. None in older forms."""
    if not schema.windows:
        return []
    allow_time(database)
    statement = (
        f"SELECT {', '.join(schema.windows)} FROM session_windows WHERE session_key = ? "  # noqa: S608  # our own names
        f"ORDER BY created_at DESC, rowid DESC LIMIT {MAX_INCARNATIONS}"
    )
    try:
        rows = database.execute(statement, (key,)).fetchall()
    except DatabaseError as error:
        if not is_too_long(error):
            raise
        return []
    return [_window(dict(zip(schema.windows, row, strict=True))) for row in reversed(rows)]


def _window(row: dict[str, object]) -> Window:
    def text(name: str) -> str:
        value = row.get(name)
        return value.decode("utf-8", "replace")[:512] if isinstance(value, bytes) else ""

    def time_ms(name: str) -> int | None:
        value = row.get(name)
        return value if isinstance(value, int) and value >= 0 else None

    return Window(
        session_id=text("session_id"),
        previous_session_id=text("previous_session_id"),
        reason=text("reason"),
        created_at_ms=time_ms("created_at"),
        updated_at_ms=time_ms("updated_at"),
        started_at_ms=time_ms("started_at"),
        ended_at_ms=time_ms("ended_at"),
        status=text("status"),
        display_name=text("display_name"),
    )
