"""Clear a lock file whose owner is proven gone: on record, judged anew at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from sessionstore.clearing import Cleared, clear_lock
from sessionstore.errors import SessionStoreError, StalePlanError, UnprovenLockError
from sessionstore.store import open_store

from .fleet import below_state
from .locks_look import StoreLook, look_at_locks
from .locks_page import FoundLock, find_lock
from .locks_rows import LockRow, lock_row
from .locks_words import word_of
from .problems import Problem, ProblemError, problem_of
from .tree import shown

PATIENCE_S = 5.0
"""How long clearing may wait for its turn in the store."""


@dataclass(frozen=True, slots=True)
class ClearedLock:
    """What was removed and why, and what was found by looking again afterwards.

    ``now`` is the lock that has the same file by now; None when the file is not there.
    """

    store_id: str
    store: str
    path: str
    word: str
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    at_ms: int
    looked_at_ms: int | None
    now: LockRow | None


def clear(
    actor: Actor, store_id: str, lock_id: str, *, reason: str, understood: bool
) -> ClearedLock:
    """Remove the lock file that was seen with this id, if its owner is still proven gone.

    Raises:
        ProblemError: 409 when it is not that lock any more, its owner is not proven gone, or the
            store is busy; nothing was removed.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "operator")
    found = find_lock(store_id, lock_id)
    if found.lock is None:
        raise ProblemError(_nothing_removed(_("This lock is not held any more."), ""))
    about = _about(found)
    intent = _record(actor, found, "started", reason, about)
    try:
        with open_store(found.reader.paths.store_path, timeout=PATIENCE_S) as store:
            cleared = clear_lock(store, lock_id, understood=understood)
    except (StalePlanError, UnprovenLockError) as error:
        problem = _nothing_removed(shown(error.message), shown(error.hint))
        _record(actor, found, "refused", problem.detail, {**about, "intent": intent})
        raise ProblemError(problem) from error
    except SessionStoreError as error:
        problem = problem_of(error)
        _record(actor, found, "failed", problem.detail, {**about, "intent": intent})
        raise ProblemError(problem) from error
    _record(actor, found, "done", reason, {**about, **_of(cleared), "intent": intent})
    return _result(found, cleared)


def _about(found: FoundLock) -> Mapping[str, Any]:
    assert found.lock is not None
    row = lock_row(found.reader, found.lock)
    return {
        "store": found.reader.id,
        "lock": row.id,
        "kind": row.kind,
        "path": row.path,
        "pid": row.pid,
        "host": row.host,
        "verdict": row.verdict,
        "seen_evidence": list(row.evidence),
    }


def _of(cleared: Cleared) -> Mapping[str, Any]:
    """What the store found at the moment of removal."""
    return {
        "verdict": cleared.verdict,
        "evidence": list(cleared.evidence),
        "against": list(cleared.against),
        "content": shown(cleared.text),
    }


def _result(found: FoundLock, cleared: Cleared) -> ClearedLock:
    """Look again, after the removal."""
    look = look_at_locks([found.reader])[found.reader.id]
    locks = look.locks if isinstance(look, StoreLook) else ()
    again = next((lock for lock in locks if lock.path == cleared.path), None)
    return ClearedLock(
        store_id=found.reader.id,
        store=found.reader.name,
        path=below_state(shown(cleared.path)),
        word=word_of(cleared.verdict)[0],
        evidence=tuple(below_state(shown(line)) for line in cleared.evidence),
        against=tuple(below_state(shown(line)) for line in cleared.against),
        at_ms=cleared.cleared_at_ms,
        looked_at_ms=look.at_ms if isinstance(look, StoreLook) else None,
        now=None if again is None else lock_row(found.reader, again),
    )


def _nothing_removed(detail: str, hint: str) -> Problem:
    return Problem(_("Nothing was removed"), detail, hint or _("Look at what is held now."), 409)


def _record(
    actor: Actor, found: FoundLock, outcome: str, reason: str, details: Mapping[str, Any]
) -> int:
    return audit.record(
        None,
        by=actor,
        action="lock.clear",
        target=f"{found.reader.name}: {details['path']}",
        outcome=outcome,
        reason=reason,
        details=details,
    ).sequence
