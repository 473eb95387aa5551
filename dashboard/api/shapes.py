"""What the services give, as the JSON that programs read. Every text is masked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from dashboard.models import Change
from dashboard.services.changing import Saved
from dashboard.services.fleet import fleet
from dashboard.services.masking import masked_entry
from dashboard.services.past import Incarnation, Version
from dashboard.services.refs import SESSION_LENGTH, digest
from dashboard.services.rows import SessionRow
from dashboard.services.session import Session
from dashboard.services.stores import StoreRow
from dashboard.services.tree import masked
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
    """One session: who it is, and its entry. The same as long as its etag is."""
    return {
        "store_id": found.row.store_id,
        "ref": found.row.ref,
        "key": found.row.key,
        "agent": found.row.agent,
        "etag": found.etag,
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


def version_head(version: Version) -> dict[str, Any]:
    """A version in a list: what the change was, without what it replaced."""
    return {
        "id": version.id,
        "at": iso(version.at_ms),
        "by": masked(version.by),
        "action": masked(version.action),
        "reason": masked(version.reason),
        "changed": [masked(name) for name in version.changed],
        "created": version.entry is None,
        "removed": version.removed,
    }


def version(one: Version) -> dict[str, Any]:
    """A version with the entry that the change replaced and the values that it wrote."""
    return version_head(one) | {
        "entry": None if one.entry is None else masked_entry(one.entry),
        "written": masked_entry(dict(one.written)),
    }


def change(one: Change) -> dict[str, Any]:
    """A change on record."""
    reader = fleet().known(one.store_id)
    return {
        "id": one.pk,
        "at": moment(one.at),
        "actor": masked(one.actor),
        "via": one.via,
        "store_id": one.store_id,
        "store": masked(one.store_name),
        "ref": reader.refs.of(one.key) if reader else digest(one.key)[:SESSION_LENGTH],
        "key": masked(one.key),
        "action": one.action,
        "fields": texts(one.fields),
        "version_id": one.version_id,
        "reason": masked(one.reason),
        "request_id": one.request_id,
        "expires_at": moment(one.expires_at),
        "job_id": one.job_id,
        "undoes": one.undoes_id,
        "undone_by": one.undone_by_id,
        "can_be_undone": one.undone_by_id is None and one.expires_at > timezone.now(),
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
        "etag": one.etag or None,
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


def texts(values: Iterable[Any]) -> list[str]:
    """Texts that a JSON column holds, masked."""
    return [masked(str(value)) for value in values]


def _maybe(text: str | None) -> str | None:
    return None if text is None else masked(text)
