"""JSON Schemas of what the API answers with, by name; tests hold real answers against them."""

from __future__ import annotations

from dashboard.services import standing

from .schema_parts import (
    AT,
    COUNT,
    ENTRY,
    ETAG,
    FLAG,
    REF,
    STORE_ID,
    TEXT,
    VERSION_ID,
    WHOLE,
    Schema,
    listed,
    maybe,
    record,
)

_FINDING = record(
    {
        "rule": TEXT,
        "severity": {"enum": ["info", "warning", "error"]},
        "key": maybe(TEXT),
        "path": maybe(TEXT),
        "message": TEXT,
        "hint": TEXT,
    }
)
_STORE = record(
    {
        "id": STORE_ID,
        "name": TEXT,
        "path": TEXT,
        "origin": TEXT,
        "layout": TEXT,
        "is_open": FLAG,
        "sessions": maybe(COUNT),
        "machine_sessions": maybe(COUNT),
        "bytes": maybe(COUNT),
        "newest_at": maybe(AT),
        "locks": maybe(COUNT),
        "waiters": maybe(COUNT),
        "problems": maybe(COUNT),
        "freshness": {"enum": ["live", "seen", "unknown"]},
        "findings": listed(_FINDING),
    }
)
_ROW = record(
    {
        "store_id": STORE_ID,
        "ref": REF,
        "key": TEXT,
        "title": TEXT,
        "agent": TEXT,
        "kind": TEXT,
        "machine": FLAG,
        "channel": TEXT,
        "status": TEXT,
        "session_id": TEXT,
        "updated_at": maybe(AT),
        "updated_at_ms": maybe(WHOLE),
        "size_bytes": COUNT,
        "model": TEXT,
        "total_tokens": maybe(WHOLE),
        "context_tokens": maybe(WHOLE),
        "overrides": listed(TEXT),
        "flags": listed(TEXT),
        "problem": TEXT,
    }
)
_PAGE = {"page": {"type": "integer", "minimum": 1}, "pages": COUNT, "matched": COUNT}
_LATE = record({"store_id": STORE_ID, "name": TEXT, "freshness": TEXT})
_INCARNATION = record(
    {
        "session_id": maybe(TEXT),
        "started_at": maybe(AT),
        "updated_at": maybe(AT),
        "ended_at": maybe(AT),
        "transcript": maybe(TEXT),
        "label": maybe(TEXT),
    }
)
_STANDINGS = (
    *(standing.POSSIBLE, standing.CHOICE, standing.UNDONE, standing.EXPIRED, standing.PRUNED),
    *(standing.STORE_GONE, standing.SESSION_GONE, standing.DAMAGED, standing.NOTHING),
    standing.NOT_LOOKED,
)
_VERSION_HEAD: dict[str, Schema] = {
    "id": VERSION_ID,
    "at": maybe(AT),
    "by": TEXT,
    "action": TEXT,
    "reason": TEXT,
    "changed": listed(TEXT),
    "created": FLAG,
    "removed": FLAG,
    "is_now": FLAG,
    "change_id": maybe(COUNT),
    "undone": FLAG,
}
_DIFFERENCE = record({"field": TEXT, "before": TEXT, "after": TEXT})
_CHANGE = record(
    {
        "id": COUNT,
        "at": AT,
        "actor": TEXT,
        "via": TEXT,
        "store_id": STORE_ID,
        "store_name": TEXT,
        "agent": TEXT,
        "ref": REF,
        "key": TEXT,
        "action": TEXT,
        "fields": listed(TEXT),
        "version_id": TEXT,
        "reason": TEXT,
        "expires_at": AT,
        "job_id": maybe(COUNT),
        "undoes_id": maybe(COUNT),
        "undone_by_id": maybe(COUNT),
        "can_be_undone": FLAG,
        "standing": {"enum": list(_STANDINGS)},
        "standing_words": TEXT,
    }
)
_JOB = record(
    {
        "id": COUNT,
        "kind": TEXT,
        "title": TEXT,
        "state": {"enum": ["waiting", "running", "paused", "done", "failed", "cancelled"]},
        "total": COUNT,
        "done": COUNT,
        "failed": COUNT,
        "skipped": COUNT,
        "current": TEXT,
        "outcome": TEXT,
        "actor": TEXT,
        "via": TEXT,
        "reason": TEXT,
        "stores": listed(STORE_ID),
        "created_at": AT,
        "started_at": maybe(AT),
        "finished_at": maybe(AT),
    }
)
_ITEM = record(
    {
        "number": COUNT,
        "store_id": TEXT,
        "key": TEXT,
        "state": TEXT,
        "message": TEXT,
        "attempts": COUNT,
        "change_id": maybe(COUNT),
        "finished_at": maybe(AT),
    }
)
_LINE = record(
    {
        "start": COUNT,
        "size_bytes": COUNT,
        "state": {"enum": ["entry", "damaged", "long", "part", "unfinished", "blank"]},
        "title": TEXT,
        "at": maybe(AT),
        "id": TEXT,
        "parts": listed(record({"kind": TEXT, "title": TEXT, "text": TEXT})),
        "facts": listed(record({"name": TEXT, "value": TEXT})),
        "problem": TEXT,
    }
)
ANSWERS: dict[str, Schema] = {
    "Stores": record({"read_at": maybe(AT), "problem": maybe(TEXT), "stores": listed(_STORE)}),
    "Store": _STORE,
    "Sessions": record(
        {
            **_PAGE,
            "total": COUNT,
            "hidden_machine": COUNT,
            "read_at": maybe(AT),
            "late_stores": listed(_LATE),
            "sessions": listed(_ROW),
        }
    ),
    "Session": record(
        {
            "store_id": STORE_ID,
            "ref": REF,
            "key": TEXT,
            "agent": TEXT,
            "etag": ETAG,
            "entry": ENTRY,
        }
    ),
    "History": record({"incarnations": listed(_INCARNATION)}),
    "Conversation": record(
        {
            "file_name": TEXT,
            "lines": listed(_LINE),
            "start": COUNT,
            "end": COUNT,
            "size_bytes": COUNT,
            "older": maybe(COUNT),
            "newer": maybe(COUNT),
            "branch": {"enum": ["tree", "linear", "too-large", "all"]},
            "total_lines": COUNT,
            "left_behind": COUNT,
            "forks": COUNT,
            "is_broken": FLAG,
            "event": COUNT,
        }
    ),
    "Versions": record(
        {"exists": FLAG, "damaged": listed(TEXT), "versions": listed(record(_VERSION_HEAD))}
    ),
    "Version": record({**_VERSION_HEAD, "entry": maybe(ENTRY), "written": ENTRY}),
    "Changes": record({**_PAGE, "changes": listed(_CHANGE)}),
    "Change": _CHANGE,
    "Saved": record(
        {
            "store_id": STORE_ID,
            "ref": REF,
            "key": TEXT,
            "action": TEXT,
            "change_id": maybe(COUNT),
            "version_id": maybe(VERSION_ID),
            "etag": maybe(ETAG),
            "unchanged": FLAG,
            "verified": FLAG,
            "changed": listed(_DIFFERENCE),
            "merged": listed(TEXT),
            "skipped": TEXT,
            "notes": listed(TEXT),
            "entry": maybe(ENTRY),
        }
    ),
    "Jobs": record({**_PAGE, "jobs": listed(_JOB)}),
    "Job": record({**_JOB["properties"], **_PAGE, "items": listed(_ITEM)}),
    "Document": {"type": "object"},
    "ProblemKind": record(
        {"code": TEXT, "status": WHOLE, "title": TEXT, "meaning": TEXT, "type": TEXT}
    ),
}
