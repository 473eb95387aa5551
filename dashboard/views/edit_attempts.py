"""Doing what a form asks for, and what to say while the session's lock is not to be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.acting import actor_of
from dashboard.requests import ConsoleRequest
from dashboard.services import edit_waiting as waiting
from dashboard.services.change_problems import LockedError
from dashboard.services.changing import Saved
from dashboard.services.edit_saving import Request, carry
from dashboard.services.edit_work import ask_for
from dashboard.services.rows import SessionRow

WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Step:
    """The page that asks for a change. ``carried`` is all of its form, to be posted again."""

    row: SessionRow
    store_name: str
    address: str
    title: str
    carried: Mapping[str, str]

    @property
    def session_url(self) -> str:
        return reverse("session", args=[self.row.store_id, self.row.ref])

    def context(self) -> dict[str, Any]:
        """What the pages in between show of it."""
        return {
            "row": self.row,
            "store_name": self.store_name,
            "address": self.address,
            "carried": list(self.carried.items()),
            "back": self.session_url,
        }


def attempt(
    request: ConsoleRequest, step: Step, asked: Request, posted: Mapping[str, str]
) -> HttpResponse:
    """Do it now, a second at a time while somebody waits, or as a job; answer with a page.

    Raises:
        ProblemError: every refusal but a lock that is not to be had.
    """
    do = posted.get("do", "")
    if do == "job":
        job = ask_for(actor_of(request), asked, title=f"{step.title}: {step.row.title}")
        messages.success(request, _("A job does it as soon as the lock is free."))
        return _go(request, reverse("job", args=[job.pk]))
    if do == "wait":
        return _wait(request, step, asked, posted)
    try:
        saved = carry(actor_of(request), asked, wait_s=WAIT_S)
    except LockedError as error:
        return _locked_page(request, step, error)
    return after(request, saved, watch=_watches(posted))


def _wait(
    request: ConsoleRequest, step: Step, asked: Request, posted: Mapping[str, str]
) -> HttpResponse:
    whose = {"store_id": asked.store_id, "ref": asked.ref}
    deadline = posted.get("deadline", "")
    if not deadline:
        chosen = waiting.chosen_s(posted.get("wait_s", ""))
        return _waiting_page(request, step, waiting.deadline_after(chosen, **whose), posted)
    chosen, left = waiting.left_of(deadline, **whose)
    if left and not posted.get("ready"):
        # It asks once a second: pages that wait must not keep the threads from all others.
        patience_s = 0.0 if request.htmx else min(waiting.STEP_S, left)
        is_free = waiting.is_free_within(asked.store_id, asked.key, patience_s)
        # A page that waits by itself comes again to save: whoever gives up meanwhile saves nothing.
        if not is_free or request.htmx:
            return _waiting_page(request, step, deadline, posted, ready=is_free)
    try:
        saved = carry(actor_of(request), asked, wait_s=waiting.TRY_S)
    except LockedError as error:
        if left > waiting.STEP_S:
            return _waiting_page(request, step, deadline, posted)
        return _locked_page(request, step, error, in_vain_s=chosen)
    return after(request, saved, watch=_watches(posted))


def _watches(posted: Mapping[str, str]) -> bool:
    return posted.get("do") == "watch" or bool(posted.get("watch"))


def _locked_page(
    request: HttpRequest, step: Step, error: LockedError, *, in_vain_s: int = 0
) -> HttpResponse:
    context = step.context() | {
        "error": error,
        "in_vain_s": in_vain_s,
        "choices_s": waiting.CHOICES_S,
        "watch": _watches(request.POST),
    }
    return render(request, "edit_locked.html", context, status=409)


def _waiting_page(
    request: HttpRequest,
    step: Step,
    deadline: str,
    posted: Mapping[str, str],
    *,
    ready: bool = False,
) -> HttpResponse:
    whose = {"store_id": step.row.store_id, "ref": step.row.ref}
    chosen, left = waiting.left_of(deadline, **whose)
    context = step.context() | {
        "deadline": deadline,
        "chosen_s": chosen,
        "left_s": round(left),
        "passed_s": max(0, chosen - round(left)),
        "watch": _watches(posted),
        "ready": ready,
    }
    return render(request, "edit_waiting.html", context)


def after(request: HttpRequest, saved: Saved, *, watch: bool = False) -> HttpResponse:
    """Say what became of it, on the page of the session or, where it is gone, of the change."""
    place = [saved.store_id, saved.ref]
    if saved.unchanged:
        messages.info(request, saved.skipped)
        return _go(request, reverse("session", args=place))
    _tell(request, saved)
    if saved.change_id is None:
        return _go(request, reverse("session", args=place))
    if saved.entry is None:
        messages.success(request, _("The session was deleted. You can undo it on this page."))
        return _go(request, reverse("change", args=[saved.change_id]))
    query = f"?changed={saved.change_id}{'&watch=1' if watch else ''}"
    return _go(request, reverse("session", args=place) + query)


def _tell(request: HttpRequest, saved: Saved) -> None:
    if not saved.verified:
        said = _("It was saved, and a writer has changed it again since: look at what is there.")
        messages.warning(request, said)
    if saved.merged:
        count = len(saved.merged)
        said = ngettext(
            "Meanwhile others had changed %(count)d field, which stays as they have it: %(names)s.",
            "Meanwhile others had changed %(count)d fields, which stay as they have them: "
            "%(names)s.",
            count,
        )
        messages.info(request, said % {"count": count, "names": ", ".join(saved.merged[:12])})
    for note in saved.notes:
        messages.info(request, note)


def _go(request: HttpRequest, address: str) -> HttpResponse:
    """Send the browser on; a page that waits by htmx as a whole."""
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
