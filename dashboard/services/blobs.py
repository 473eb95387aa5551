"""Blobs of the stores: switched, looked at and collected, for the command and for housekeeping."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from sessionstore.blobs import finish
from sessionstore.blobswitch import blob_status, collect_blobs, set_blobs
from sessionstore.errors import SessionStoreError
from sessionstore.maintenance import retired_by_runs

from .amounts import binary
from .change_stores import opened_for_change
from .command_stores import UsageError, chosen
from .fleet import fleet
from .migration_command import FAILED, OK, command_actor
from .problems import problem_of
from .readers import Reader
from .tree import shown

__all__ = ["STEPS", "Done", "UsageError", "chosen", "done", "finish_all"]

STEPS = ("on", "off", "status", "collect")
WAIT_S = 30.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one store; ``told`` is the same as JSON, keys masked."""

    store: str
    sentence: str
    status: int
    told: Mapping[str, Any]


def done(reader: Reader, what: str, *, reason: str) -> Done:
    """Carry out one of :data:`STEPS` on one store; all but ``status`` are on record.

    Raises:
        RefusedError: the console is read-only.
    """
    try:
        return _status(reader) if what == "status" else _changed(reader, what, reason)
    except SessionStoreError as error:
        problem = problem_of(error)
        return Done(reader.name, f"{problem.title}. {problem.detail}", FAILED, {})


def _status(reader: Reader) -> Done:
    status = blob_status(reader.paths)
    state = {
        "on": _("Blobs are on"),
        "off": _("Blobs are off"),
        "leaving": _("Blobs are switched off, but some sessions still refer to them"),
    }[status.state]
    said = _(
        "%(state)s: %(folded)s sessions refer to %(blobs)s blobs of %(size)s, saving %(saved)s."
    )
    words = said % {
        "state": state,
        "folded": f"{status.folded:,}",
        "blobs": f"{status.blobs:,}",
        "size": binary(status.blob_bytes),
        "saved": binary(max(0, status.saved_bytes)),
    }
    return Done(reader.name, words, OK, asdict(status))


def _changed(reader: Reader, what: str, reason: str) -> Done:
    actor = command_actor()
    queue.check_allowed(actor, "admin")
    told: dict[str, Any] = {"store": reader.id}
    intent = _record(actor, reader, what, "started", reason, told)
    try:
        with opened_for_change(reader, WAIT_S) as store:
            if what == "collect":
                keep = retired_by_runs(reader.paths)
                collected = asdict(collect_blobs(store, timeout=WAIT_S, keep=keep))
                result = Done(reader.name, _collected_words(collected), OK, collected)
            else:
                report = set_blobs(store, what == "on", timeout=WAIT_S)
                result = _switched(reader, report.state, report.rewritten, report.failed)
    except SessionStoreError as error:
        _record(actor, reader, what, "failed", problem_of(error).detail, {**told, "intent": intent})
        raise
    outcome = "done" if result.status == OK else "failed"
    counts = {name: value for name, value in result.told.items() if name != "failed"}
    _record(actor, reader, what, outcome, reason, {**told, **counts, "intent": intent})
    return result


def _switched(reader: Reader, state: str, rewritten: int, failed: Mapping[str, str]) -> Done:
    words = ngettext("%(n)s session rewritten.", "%(n)s sessions rewritten.", rewritten) % {
        "n": f"{rewritten:,}"
    }
    if failed:
        key = min(failed)
        said = ngettext(
            "%(n)s session could not be rewritten (first: %(key)s: %(why)s).",
            "%(n)s sessions could not be rewritten (first: %(key)s: %(why)s).",
            len(failed),
        )
        why = {"n": f"{len(failed):,}", "key": shown(key), "why": shown(failed[key])}
        words = f"{words} {said % why}"
    told = {
        "state": state,
        "rewritten": rewritten,
        "failed": {shown(key): shown(why) for key, why in failed.items()},
    }
    return Done(reader.name, words, FAILED if failed else OK, told)


def _collected_words(counts: Mapping[str, int]) -> str:
    said = _(
        "%(retired)s blobs that no session refers to were retired (%(size)s) and go after a day; "
        "%(removed)s were removed (%(gone)s)."
    )
    return said % {
        "retired": f"{counts['retired']:,}",
        "size": binary(counts["retired_bytes"]),
        "removed": f"{counts['removed']:,}",
        "gone": binary(counts["removed_bytes"]),
    }


def finish_all(now: datetime) -> int:
    """Remove what plans and ``collect`` retired and had its time; returns how many went.

    Nothing is retired here: that takes a plan or a command. A store that fails is logged and
    keeps no other from its turn. One without retired blobs costs a listing.
    """
    if settings.READ_ONLY:
        return 0
    removed = 0
    for reader in fleet().scan().readers:
        try:
            removed += finish(reader.paths, keep=retired_by_runs(reader.paths)).removed
        except SessionStoreError as error:
            _log.error("blobs of store %s: %s", reader.id, type(error).__name__)
    return removed


def _record(
    actor: Actor,
    reader: Reader,
    what: str,
    outcome: str,
    reason: str,
    details: Mapping[str, object],
) -> int:
    event = audit.record(
        None,
        by=actor,
        action=f"store.blobs.{what}",
        target=reader.name,
        outcome=outcome,
        reason=reason or _("No reason was given."),
        details=details,
    )
    return event.sequence
