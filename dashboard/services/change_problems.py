"""Refusals of a change that its caller can do something about: choose, wait, create, correct."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore import errors
from sessionstore.editing import Overlap
from sessionstore.editing import OverlapError as StoreOverlapError
from sessionstore.entries import redact

from .entry_tags import tag_of
from .problems import Problem, ProblemError, problem_of


class OverlapError(ProblemError):
    """Somebody else changed the same fields. ``overlaps`` hold raw values: mask them to show.

    ``tag`` is that of the entry as it is now.
    """

    def __init__(self, store_id: str, key: str, error: StoreOverlapError) -> None:
        self.key = key
        self.overlaps: tuple[Overlap, ...] = error.overlaps
        self.tag = tag_of(store_id, key, error.etag)
        count = len(error.overlaps)
        super().__init__(
            Problem(
                _("Someone else changed it first"),
                ngettext(
                    "%d field was changed by somebody else since you opened it. "
                    "Nothing was written.",
                    "%d fields were changed by somebody else since you opened it. "
                    "Nothing was written.",
                    count,
                )
                % count,
                _("Choose for each of them which value stays."),
                409,
            )
        )


class LockedError(ProblemError):
    """The lock could not be had in time. ``typical`` says what waits usually are."""

    def __init__(self, key: str, error: errors.LockTimeoutError, typical: str) -> None:
        self.key = key
        self.holder = redact(error.holder or "")
        self.held_s = error.held_s
        self.waited_s = error.waited_s
        self.typical = typical
        super().__init__(problem_of(error))


class VanishedError(ProblemError):
    """There is no session any more, or nothing left to go back to."""

    def __init__(self, key: str, problem: Problem) -> None:
        self.key = key
        super().__init__(problem)


class MovedError(ProblemError):
    """The session is not as it was when it was looked at; nothing was written."""

    def __init__(self, key: str, problem: Problem) -> None:
        self.key = key
        super().__init__(problem)


class InvalidFieldsError(ProblemError):
    """Values that a field cannot have, with a sentence for each field."""

    def __init__(self, messages: Mapping[str, str], *, hint: str = "") -> None:
        self.errors = dict(messages)
        said = " ".join(f"{name}: {message}" for name, message in sorted(self.errors.items())[:5])
        super().__init__(
            Problem(_("These values cannot be saved"), said, hint or _("Nothing was written."), 422)
        )


def refusal(
    store_id: str, key: str, error: errors.SessionStoreError, *, typical: str
) -> ProblemError:
    """What a page is told about an error of the store."""
    if isinstance(error, StoreOverlapError):
        return OverlapError(store_id, key, error)
    if isinstance(error, errors.LockTimeoutError):
        return LockedError(key, error, typical)
    if isinstance(error, errors.EntryNotFoundError):
        return VanishedError(key, problem_of(error))
    if isinstance(error, errors.ConflictError):
        return MovedError(key, problem_of(error))
    return ProblemError(problem_of(error))


def refused(title: str, detail: str, hint: str, status: int, **more: Any) -> ProblemError:
    """A refusal that is only said."""
    return ProblemError(Problem(title, detail, hint, status, **more))


def lesser_role(required: str) -> ProblemError:
    """The refusal of somebody whose role is less than what a change asks for."""
    said = _("This asks for the role %s.") % required
    return refused(_("Refused"), said, _("Ask an admin for it."), 403)
