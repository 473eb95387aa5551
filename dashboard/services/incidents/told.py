"""What a bundle says of an incident, its stores and their locks, disguised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.models import Incident
from dashboard.twins import iso

from ..event_marks import EDITED, Mark
from ..problems import Problem
from ..readers import Reader
from .disguise import Disguise
from .samples import Reported, process_lines
from .seeing import ms_of
from .verdicts import Seen, SeenLock


def told_incident(
    incident: Incident, names: dict[str, str], end_ms: int, now_ms: int, disguise: Disguise
) -> dict[str, Any]:
    """The incident itself, with its notes."""
    stores = [names[store.store_id] for store in incident.stores.all()]
    return {
        "title": disguise.text(incident.title),
        "from": iso(ms_of(incident.started_at)),
        "until": iso(end_ms),
        "is_open": incident.ended_at is None,
        "stores": "all" if incident.everywhere else sorted(stores),
        "marked_by": disguise.person(incident.actor),
        "marked_at": iso(ms_of(incident.marked_at)),
        "exported_at": iso(now_ms),
        "sessions_are": "masked keys" if disguise.shows_keys else "keyed digests",
        "notes": [
            {
                "at": iso(ms_of(note.at)),
                "by": disguise.person(note.actor),
                "text": disguise.text(note.text),
            }
            for note in incident.notes.all()
        ],
    }


def told_store(
    names: dict[str, str], reader: Reader, answer: Reported | Problem, disguise: Disguise
) -> dict[str, Any]:
    """One store: its size, and who reported when."""
    summary = reader.summary()
    about: dict[str, Any] = {
        "store": names[reader.id],
        "layout": None if summary is None else summary.layout,
        "sessions": None if summary is None else summary.sessions,
        "bytes": None if summary is None else summary.bytes,
    }
    if isinstance(answer, Problem):
        return about | {"problem": disguise.text(f"{answer.title}. {answer.detail}")}
    spans = [[iso(since), iso(until)] for since, until in answer.coverage]
    return about | {
        "reported": bool(answer.total.until_ms),
        "somebody_was_there_to_report": spans,
        "reporters": process_lines(answer, disguise),
    }


def told_events(
    marks: Sequence[Mark], names: dict[str, str], disguise: Disguise
) -> list[dict[str, Any]]:
    """What went on meanwhile. Of a single edit only that: its title names the session."""
    return [
        {
            "kind": mark.kind,
            "title": "" if mark.kind == EDITED else disguise.text(mark.title),
            "from": iso(mark.at_ms),
            "until": iso(mark.until_ms),
            "store": names.get(mark.store_id, "several" if not mark.store_id else "another"),
        }
        for mark in marks
    ]


def told_locks(seen: Seen, names: dict[str, str], disguise: Disguise) -> dict[str, Any]:
    """One look at the locks of the stores."""
    return {
        "locks": [_lock(lock, names, disguise) for lock in seen.locks],
        "stores_that_did_not_answer": len(seen.unread),
        "more_locks": seen.left_out,
    }


def _lock(lock: SeenLock, names: dict[str, str], disguise: Disguise) -> dict[str, Any]:
    return {
        "store": names.get(lock.store_id, "another store"),
        "scope": lock.scope,
        "session": disguise.session_by_ref(lock.ref, lock.key),
        "verdict": lock.verdict,
        "evidence": [disguise.text(text) for text in lock.evidence],
        "against": [disguise.text(text) for text in lock.against],
        "host": disguise.host(lock.host),
        "pid": lock.pid,
        "program": disguise.text(lock.program),
        "operation": disguise.text(lock.operation),
        "since": iso(lock.since_ms),
        "held_s": lock.held_s,
        "limit_s": lock.limit_s,
        "waiters": [
            {
                "host": disguise.host(waiter.host),
                "pid": waiter.pid,
                "program": disguise.text(waiter.program),
                "operation": disguise.text(waiter.operation),
                "waited_s": waiter.waited_s,
                "limit_s": waiter.limit_s,
            }
            for waiter in lock.waiters
        ],
        "more_waiters": lock.more_waiters,
    }
