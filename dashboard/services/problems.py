"""What went wrong, as a person reads it: title, detail, next step, status of the answer."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessionstore import errors
from sessionstore.entries import redact


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal or failure. Texts are masked; ``status`` is the HTTP status it answers with."""

    title: str
    detail: str
    hint: str = ""
    status: int = 500


class ProblemError(Exception):
    """A problem that is the whole answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.title)
        self.problem = problem


_KINDS: tuple[tuple[type[errors.SessionStoreError], str, int], ...] = (
    (errors.InvalidKeyError, "This cannot be a session key", 400),
    (errors.EntryNotFoundError, "There is no such session", 404),
    (errors.LockTimeoutError, "The session is locked", 409),
    (errors.GatewayRunningError, "A running gateway writes this store", 409),
    (errors.ConflictError, "Someone else changed it first", 409),
    (errors.InvalidEntryError, "This cannot be an entry", 422),
    (errors.CorruptEntryError, "The entry is damaged", 422),
    (errors.CorruptStoreError, "The store file is damaged", 422),
    (errors.DamagedBackupError, "The backup is damaged", 422),
    (errors.UnsafeBackupError, "The backup is refused", 422),
    (errors.InvalidPolicyError, "This policy is refused", 422),
    (errors.UnsafeFileError, "The file is not one that may be opened", 422),
    (errors.UnsupportedStoreError, "This store is of another format", 422),
    (errors.StoreIOError, "The store could not be read", 503),
)


def problem_of(error: errors.SessionStoreError) -> Problem:
    """Turn an error of the store into what the page says about it."""
    title, status = next(
        ((title, status) for kind, title, status in _KINDS if isinstance(error, kind)),
        ("The store refused", 500),
    )
    return Problem(_(title), redact(error.message), redact(error.hint), status)


def still_reading(what: str) -> Problem:
    """Say that a store has not answered in the time a page may wait."""
    return Problem(
        _("Still reading"),
        _("%s has not answered yet; its disk may be slow, or it is being read for the first time.")
        % what,
        _("Nothing is lost. Load the page again in a moment."),
        503,
    )


def not_there(what: str, next_step: str) -> ProblemError:
    """The answer for something that is not, or no longer, there."""
    return ProblemError(Problem(_("Not found"), what, next_step, 404))
