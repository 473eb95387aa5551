"""What the pages that change one session say when they cannot, and above their forms."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from dashboard.refusals import RefusedError
from dashboard.requests import ConsoleRequest
from dashboard.services.edit_look import Look
from dashboard.services.problems import ProblemError, not_there


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence above the form."""

    state: str
    title: str
    body: str
    hint: str = ""


def refuse_when_read_only() -> None:
    """Refuse to show a page whose only use is to change something.

    Raises:
        RefusedError: the console is read-only.
    """
    if settings.READ_ONLY:
        raise RefusedError(
            _("This console is read-only (SESSIONSTORE_READ_ONLY), so there is nothing to edit."),
            _("Use a console that may change things, or have the setting turned off."),
        )


def gone() -> ProblemError:
    """The answer for a session that is not there any more."""
    return not_there(
        _("The session has been deleted since."), _("Search the list of sessions for it.")
    )


def impossible(request: ConsoleRequest, look: Look) -> HttpResponse:
    """Say that what is there cannot be edited, and what can be done instead."""
    context = {"row": look.row, "look": look, "problem": look.problem}
    return render(request, "edit_impossible.html", context, status=422)
