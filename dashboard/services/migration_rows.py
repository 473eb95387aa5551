"""The sessions of a preview as pages and twins show them: masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dashboard.models import StorePlan, StorePlanSession

from .migration_words import action_tone, action_word
from .rows import readable
from .tree import shown

PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session of a preview, masked. ``ref`` addresses it where it is in the store by now."""

    number: int
    key: str
    title: str
    action: str
    word: str
    tone: str
    source: str
    size_bytes: int
    file_name: str
    reason: str
    spelt: str


def preview_rows(kept: StorePlan, *, action: str = "") -> Iterator[SessionRow]:
    """Every session of a preview, or those of one action."""
    rows = kept.sessions.filter(action=action) if action else kept.sessions.all()
    return map(_row, rows.iterator(chunk_size=500))


def page_of_rows(kept: StorePlan, action: str, page: int) -> tuple[SessionRow, ...]:
    """One page of them, by an index: as quick at 100,000 sessions as at one."""
    rows = kept.sessions.filter(action=action) if action else kept.sessions.all()
    first = (page - 1) * PER_PAGE
    return tuple(map(_row, rows[first : first + PER_PAGE]))


def _row(session: StorePlanSession) -> SessionRow:
    key = shown(session.key)
    return SessionRow(
        number=session.position + 1,
        key=key,
        title=readable(key),
        action=session.action,
        word=action_word(session.action),
        tone=action_tone(session.action),
        source=shown(session.source),
        size_bytes=session.size_bytes,
        file_name=shown(session.file_name),
        reason=shown(session.reason),
        spelt=shown(session.spelt),
    )
