"""A ``sessions.json`` of a store for whoever goes back to a program of the JSON era. On record."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from sessionstore import migration
from sessionstore.files import read_file
from sessionstore.migration import ExportReport
from sessionstore.paths import StorePaths

from .change_stores import opened_for_change
from .problems import Problem, ProblemError
from .readers import Reader

WAIT_S = 30.0
#: The largest that is given through a page; beyond it, the command writes the file.
MOST_BYTES = 512 << 20


def exported(actor: Actor, reader: Reader, *, reason: str) -> bytes:
    """The bytes of the file, unmasked, for an admin.

    Raises:
        ProblemError: the store refuses or does not answer in time.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "admin")
    told: Mapping[str, object] = {"store": reader.id}
    intent = _record(actor, reader, "started", reason, told)
    answer = reader.read(lambda paths: _written(reader, paths), budget_s=WAIT_S)
    if isinstance(answer, Problem):
        _record(actor, reader, "failed", answer.detail, {**told, "intent": intent})
        raise ProblemError(answer)
    content, report = answer
    done: Mapping[str, object] = {
        "sessions": report.sessions,
        "sha256": report.sha256,
        "bytes": report.size_bytes,
        "findings": len(report.findings),
    }
    _record(actor, reader, "done", reason, {**told, **done, "intent": intent})
    return content


def _written(reader: Reader, paths: StorePaths) -> tuple[bytes, ExportReport]:
    """Export into a private folder that goes again, and read that back."""
    with (
        tempfile.TemporaryDirectory(prefix="sessionstore-export-") as place,
        opened_for_change(reader, WAIT_S) as store,
    ):
        report = migration.export_legacy(store, Path(place) / "sessions.json")
        return read_file(report.path, max_bytes=MOST_BYTES), report


def export_to(actor: Actor, reader: Reader, path: Path, *, reason: str) -> ExportReport:
    """Write the file where somebody at this machine wants it, for the command.

    Raises:
        SessionStoreError: it is there already, or cannot be written.
        RefusedError: the console is read-only.
    """
    queue.check_allowed(actor, "admin")
    told = {"store": reader.id}
    intent = _record(actor, reader, "started", reason, told)
    with opened_for_change(reader, WAIT_S) as store:
        report = migration.export_legacy(store, path)
    done = {"sessions": report.sessions, "sha256": report.sha256, "intent": intent}
    _record(actor, reader, "done", reason, {**told, **done})
    return report


def _record(
    actor: Actor, reader: Reader, outcome: str, reason: str, details: Mapping[str, object]
) -> int:
    event = audit.record(
        None,
        by=actor,
        action="store.export",
        target=reader.name,
        outcome=outcome,
        reason=reason or _("No reason was given."),
        details=details,
    )
    return event.sequence
