"""What the services give, as the JSON that programs read. Every text is masked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dashboard.services.change_rows import ChangeRow
from dashboard.services.changing import Saved
from dashboard.services.incarnations import Incarnation
from dashboard.services.masking import masked_entry
from dashboard.services.rows import SessionRow
from dashboard.services.session import Session
from dashboard.services.stores import StoreRow
from dashboard.services.tree import masked
from dashboard.services.versions import History, VersionRow
from dashboard.twins import iso

_STORE_FIELDS = (
    *("id", "name", "path", "origin", "layout", "is_open", "sessions", "machine_sessions"),
    *("bytes", "locks", "waiters", "problems"),
)
_ROW_FIELDS = (
    *("store_id", "ref", "key", "title", "agent", "kind", "machine", "channel", "status"),
    *("session_id", "updated_at_ms", "size_bytes", "model", "total_tokens", "context_tokens"),
    "problem",
)
_CHANGE_FIELDS = (
    *("id", "actor", "via", "store_id", "store_name", "agent", "ref", "key", "version_id"),
    *("reason", "job_id", "undoes_id", "undone_by_id"),
)
_MOST_FINDINGS = 1_000


def store(row: StoreRow) -> dict[str, Any]:
    """A store with what is wrong in it."""
    return {name: getattr(row, name) for name in _STORE_FIELDS} | {
        "newest_at": iso(row.newest_at_ms),
        "freshness": row.freshness.state,
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                "key": finding.key,
                "path": finding.path,
                "message": finding.message,
                "hint": finding.hint,
            }
            for finding in row.findings[:_MOST_FINDINGS]
        ],
    }


def session_row(row: SessionRow) -> dict[str, Any]:
    """A session in a list."""
    return {name: getattr(row, name) for name in _ROW_FIELDS} | {
        "updated_at": iso(row.updated_at_ms),
        "overrides": list(row.overrides),
        "flags": list(row.flags),
    }


def session(found: Session) -> dict[str, Any]:
    """One session: who it is, and its entry. The same as long as its tag is."""
    return {
        "store_id": found.row.store_id,
        "ref": found.row.ref,
        "key": found.row.key,
        "agent": found.row.agent,
        "etag": found.tag,
        "entry": found.entry,
    }


def incarnation(life: Incarnation) -> dict[str, Any]:
    """An earlier incarnation."""
    return {
        "session_id": _maybe(life.session_id),
        "started_at": iso(life.started_at_ms),
        "updated_at": iso(life.updated_at_ms),
        "ended_at": iso(life.ended_at_ms),
        "transcript": _maybe(life.transcript),
        "label": _maybe(life.label),
    }


def version_head(found: History, row: VersionRow) -> dict[str, Any]:
    """A version in a list: what the change was, without what it replaced."""
    one = found.versions[row.id]
    return {
        "id": row.id,
        "at": iso(row.at_ms),
        "by": row.by,
        "action": masked(one.action),
        "reason": row.reason,
        "changed": [masked(name) for name in one.changed],
        "created": not row.existed,
        "removed": row.removed,
        "is_now": row.is_now,
        "change_id": row.change_id,
        "undone": row.undone,
    }


def version(found: History, row: VersionRow) -> dict[str, Any]:
    """A version with the entry that the change replaced and the values that it wrote."""
    one = found.versions[row.id]
    return version_head(found, row) | {
        "entry": None if one.entry is None else masked_entry(one.entry),
        "written": masked_entry(dict(one.written)),
    }


def change(row: ChangeRow) -> dict[str, Any]:
    """A change on record, and how it stands."""
    return {name: getattr(row, name) for name in _CHANGE_FIELDS} | {
        "at": iso(row.at_ms),
        "action": row.kind,
        "fields": list(row.fields),
        "expires_at": iso(row.expires_at_ms),
        "can_be_undone": row.standing.can,
        "standing": row.standing.state,
        "standing_words": row.standing.sentence,
    }


def saved(one: Saved) -> dict[str, Any]:
    """What a change did, as read back afterwards."""
    return {
        "store_id": one.store_id,
        "ref": one.ref,
        "key": one.key,
        "action": one.action,
        "change_id": one.change_id,
        "version_id": one.version_id,
        "etag": one.tag or None,
        "unchanged": one.unchanged,
        "verified": one.verified,
        "changed": [
            {"field": each.name, "before": each.before, "after": each.after} for each in one.changed
        ],
        "merged": list(one.merged),
        "skipped": one.skipped,
        "notes": list(one.notes),
        "entry": None if one.entry is None else masked_entry(one.entry),
    }


def moment(at: datetime) -> str:
    """A time as ISO text in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def maybe_moment(at: datetime | None) -> str | None:
    """The same, or None."""
    return None if at is None else moment(at)


def _maybe(text: str | None) -> str | None:
    return None if text is None else masked(text)
