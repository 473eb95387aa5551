"""Changes that operators made: the list, one of them, and taking it or a whole job's back."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from dashboard import change_listing, recent
from dashboard.acting import Actor, actor_of
from dashboard.forms_undo import WAITS_S, ChangeFilters, UndoForm
from dashboard.jobs.seeing import find_job
from dashboard.preferences import preferences_of
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.carrying import Saved
from dashboard.services.change_problems import LockedError
from dashboard.services.problems import ProblemError
from dashboard.services.undo import change_detail, take_back
from dashboard.services.undo_choices import holding
from dashboard.services.undo_jobs import may_remove, undo_job, undo_later
from dashboard.services.undo_list import JobNote, WantedChanges, job_note, list_changes
from dashboard.services.undo_words import fields_read_back

from .answers import page_or_part, tells_problems


@require_safe
@role_required("viewer")
@tells_problems
def changes(request: HttpRequest) -> HttpResponseBase:
    """Show one page of the list; HTMX gets the list without its form."""
    form, wanted = asked(request)
    listed = list_changes(wanted)
    link = change_listing.link_of(form, request.GET)
    links = change_listing.links(link, listed)
    context = {
        "form": form,
        "list": listed,
        "links": links,
        "chips": change_listing.chips(form, link),
        "notes": change_listing.notes(form, listed),
        "field_errors": list(change_listing.errors(form)),
    }
    response = page_or_part(request, "changes.html", "_change_view.html", context)
    if request.headers.get("HX-Trigger") == "filters":
        # The form sends empty fields too; the address names what differs.
        response.headers["HX-Replace-Url"] = links["self"]
    return response


def asked(request: HttpRequest) -> tuple[ChangeFilters, WantedChanges]:
    """Read the address: the form, and what it asks for."""
    form = ChangeFilters(request.GET, zone=preferences_of(request).shown_zone)
    return form, form.wanted()


@require_safe
@role_required("viewer")
@tells_problems
def change(request: HttpRequest, change_id: int) -> HttpResponseBase:
    """Show one change: what it did, how it stands, and what taking it back would do now."""
    return _page(request, change_id, UndoForm(), {})


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("operator")
@tells_problems
def change_undo(request: HttpRequest, change_id: int) -> HttpResponseBase:
    """Take one change back; a refusal shows the change again with what has to be decided."""
    if request.method != "POST":
        return redirect(f"{reverse('change', args=[change_id])}#undo")
    form, actor = UndoForm(request.POST), _actor(request)
    if change_detail(change_id).removes and (refused := _not_confirmed(request)):
        return _page(request, change_id, form, {"confirm_error": refused}, status=422)
    if form.read().get("later"):
        job = undo_later(actor, change_id, reason=form.reason_text)
        messages.success(request, _("A job undoes it as soon as the lock can be had."))
        return redirect("job", job.pk)
    try:
        saved = take_back(
            actor, change_id, form.answers(), reason=form.reason_text, wait_s=form.wait_s
        )
    except LockedError as error:
        return _page(request, change_id, form, {"locked": error}, status=409)
    except ProblemError as error:
        return _page(request, change_id, form, {"refusal": error.problem}, error.problem.status)
    _tell(request, saved)
    return redirect("change", saved.change_id or change_id)


def _not_confirmed(request: HttpRequest) -> str:
    """What an admin still has to confirm before a session goes; others are refused anyway."""
    return recent.confirmed(request) if _actor(request).role == "admin" else ""


def _page(
    request: HttpRequest, change_id: int, form: UndoForm, more: dict[str, Any], status: int = 200
) -> HttpResponseBase:
    detail = change_detail(change_id)
    answers = holding(form.answers(), detail.seen)
    context = {
        "detail": detail,
        "row": detail.row,
        "choices": [(choice, answers.get(choice.id, "")) for choice in detail.choices],
        "form": form,
        "waits": WAITS_S,
        **more,
    }
    return render(request, "change.html", context, status=status)


def _tell(request: HttpRequest, saved: Saved) -> None:
    """Say what was done, and what was found when it was read again."""
    if saved.unchanged:
        messages.info(request, saved.skipped)
        return
    said = [_("It is undone."), fields_read_back(len(saved.changed)), *saved.notes]
    if not saved.verified:
        said[1] = _("A writer changed the session again right after; look at what is there now.")
    message = " ".join(said)
    (messages.success if saved.verified else messages.warning)(request, message)


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("operator")
@tells_problems
def job_undo(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Ask whether everything that a job changed is to be taken back; POST has a job do it."""
    note = job_note(job_id)
    if note is None:  # a job that changed nothing, or none at all
        note = JobNote(job_id, find_job(job_id).title)
    form = UndoForm(request.POST)
    context = {"note": note, "may_remove": may_remove(job_id), "reason": form.reason_text}
    if request.method != "POST":
        return render(request, "job_undo.html", context)
    if context["may_remove"] and (refused := _not_confirmed(request)):
        return render(request, "job_undo.html", context | {"confirm_error": refused}, status=422)
    return redirect("job", undo_job(_actor(request), job_id, reason=form.reason_text).pk)


def _actor(request: HttpRequest) -> Actor:
    return actor_of(cast(ConsoleRequest, request))
