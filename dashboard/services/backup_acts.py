"""What is done to a backup at once: hold it, release it, delete it, hand it out. All on record."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from sessionstore import backup as backups
from sessionstore.errors import SessionStoreError

from .backup_catalogue import Kept
from .problems import ProblemError, not_there, problem_of

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Download:
    """An archive on its way out: a safe name, its size, the open file; its sender closes it."""

    name: str
    size_bytes: int
    archive: BinaryIO


def set_held(actor: Actor, kept: Kept, *, held: bool, reason: str) -> None:
    """Keep a backup whatever a policy says, or stop that.

    Raises:
        ProblemError: its sidecar cannot be written.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "operator")
    action = "backup.hold" if held else "backup.release"
    change = backups.hold_backup if held else backups.release_backup
    _on_record(actor, kept, action, reason, lambda: change(kept.backup))


def delete(actor: Actor, kept: Kept, *, reason: str) -> int:
    """Remove a backup for good; the bytes that are free then.

    Raises:
        ProblemError: it is held, or the disk refused.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "admin")
    return _on_record(
        actor, kept, "backup.delete", reason, lambda: backups.delete_backup(kept.backup)
    )


def download(actor: Actor, kept: Kept, *, reason: str) -> Download:
    """Hand out an archive as it is, unmasked, to an admin.

    Raises:
        ProblemError: the archive is missing, or is no plain file.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "admin")
    name, size_bytes, fd = _on_record(
        actor, kept, "backup.download", reason, lambda: backups.open_for_download(kept.backup)
    )
    return Download(name, size_bytes, os.fdopen(fd, "rb"))


def _on_record(
    actor: Actor, kept: Kept, action: str, reason: str, work: Callable[[], Result]
) -> Result:
    """Do it between two events of the audit."""
    about: Mapping[str, Any] = {
        "backup": kept.backup.id,
        "store": kept.store_id,
        "size_bytes": kept.backup.size_bytes,
        "transcripts": kept.backup.transcripts,
    }
    intent = _record(actor, kept, action, "started", reason, about)
    try:
        result = work()
    except SessionStoreError as error:
        problem = problem_of(error)
        _record(actor, kept, action, "failed", problem.detail, {**about, "intent": intent})
        raise ProblemError(problem) from error
    except FileNotFoundError as error:
        said = _("The archive of this backup is not there.")
        _record(actor, kept, action, "failed", said, {**about, "intent": intent})
        raise not_there(said, _("Open the list of backups.")) from error
    _record(actor, kept, action, "done", reason, {**about, "intent": intent})
    return result


def _record(
    actor: Actor,
    kept: Kept,
    action: str,
    outcome: str,
    reason: str,
    details: Mapping[str, Any],
) -> int:
    return audit.record(
        None,
        by=actor,
        action=action,
        target=f"{kept.name}: {kept.backup.id}",
        outcome=outcome,
        reason=reason,
        details=details,
    ).sequence
