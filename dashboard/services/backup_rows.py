"""A backup as pages, twins and the command show it: finished values, every text masked."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.utils.translation import gettext as _

from .backup_catalogue import Kept
from .backup_words import depth_words, scope_words
from .layouts import LAYOUT_WORDS
from .tree import shown


@dataclass(frozen=True, slots=True)
class BackupRow:
    """One backup. ``problem`` says why it cannot be used as it is; ``rules`` what keeps it."""

    id: str
    store: str
    store_id: str
    scope: str
    layout: str
    created_at_ms: int
    reason: str
    by: str
    sessions: int
    transcripts: int
    with_transcripts: bool
    size_bytes: int
    content_bytes: int
    sha256: str
    compression: str
    linked: bool
    took_s: float
    exclusive_ms: float
    held: bool
    verified_at_ms: int | None
    verified_depth: str
    proven_at_ms: int | None
    problem: str
    findings: int
    rules: tuple[str, ...] = ()

    @property
    def tone(self) -> str:
        """How its state is coloured: by what is known of it, not by its age."""
        if self.problem:
            return "bad"
        return "ok" if self.proven_at_ms or self.verified_at_ms else "unknown"

    @property
    def word(self) -> str:
        """What is known of it, in one or two words."""
        if self.problem:
            return _("damaged")
        if self.proven_at_ms:
            return _("proven")
        return _("checked") if self.verified_at_ms else _("not checked")


def row_of(kept: Kept, rules: Sequence[str] = ()) -> BackupRow:
    """Finish one backup for showing."""
    one = kept.backup
    return BackupRow(
        id=one.id,
        store=kept.name,
        store_id=kept.store_id,
        scope=scope_words(one),
        layout=_(LAYOUT_WORDS.get(one.layout, one.layout)),
        created_at_ms=one.created_ms,
        reason=shown(one.reason)[:500],
        by=shown(one.by)[:200],
        sessions=one.sessions,
        transcripts=one.transcripts,
        with_transcripts=one.with_transcripts,
        size_bytes=one.size_bytes,
        content_bytes=one.content_bytes,
        sha256=shown(one.sha256)[:64],
        compression=one.compression,
        linked=one.linked,
        took_s=one.took_s,
        exclusive_ms=1000 * one.exclusive_s,
        held=one.held,
        verified_at_ms=one.verified_ms,
        verified_depth=depth_words(one.verified_depth, one.verified_part),
        proven_at_ms=one.proven_ms,
        problem=shown(one.problem)[:500],
        findings=len(one.findings),
        rules=tuple(rules),
    )


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the calendar; ``count`` backups were taken, ``bad`` of them cannot be used."""

    date: date
    count: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class Month:
    """One month in weeks from Monday; None for days of other months."""

    first: date
    weeks: tuple[tuple[Day | None, ...], ...]


def month_of(rows: Iterable[BackupRow], month: date) -> Month:
    """Which days of a month (in UTC) have backups."""
    counts: dict[date, Day] = {}
    for row in rows:
        day = day_of(row.created_at_ms)
        if day is not None and (day.year, day.month) == (month.year, month.month):
            had = counts.get(day, Day(day))
            counts[day] = Day(day, had.count + 1, had.bad + bool(row.problem))
    weeks = calendar.Calendar().monthdatescalendar(month.year, month.month)
    return Month(
        month.replace(day=1), tuple(tuple(_day(day, month, counts) for day in w) for w in weeks)
    )


def _day(day: date, month: date, counts: Mapping[date, Day]) -> Day | None:
    return counts.get(day, Day(day)) if day.month == month.month else None


def day_of(at_ms: int) -> date | None:
    """The day in UTC; None beyond what a calendar holds."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).date()
    except (OverflowError, ValueError, OSError):
        return None
