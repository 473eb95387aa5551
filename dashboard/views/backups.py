"""Backups: the list with its calendar, and one backup with what is in it."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.forms_backups import STATES, BackupFilters, DeleteForm, PlaceForm, VerifyForm
from dashboard.forms_migration import ReasonForm
from dashboard.jobs import life, looks
from dashboard.links import Link
from dashboard.list_words import neighbours
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.backup_list import BackupList, list_backups
from dashboard.services.backup_pages import BackupPage, backup_page

from .answers import STOP_POLLING, page_or_part, tells_problems

_EVERY_S = 3


@require_safe
@role_required("viewer")
@tells_problems
def backups(request: ConsoleRequest) -> HttpResponseBase:
    """Show one page of the list; its live part follows what runs."""
    form = BackupFilters(request.GET)
    listed = list_backups(form.wanted())
    link = _link(form)
    context = {
        "list": listed,
        "form": form,
        "states": STATES,
        "months": _months(listed, link),
        "links": _list_links(link, listed),
        "has_runner": life.is_any_alive(),
        **powers(request),
    }
    return _answer(request, "backups", context, listed.stamp, is_busy=bool(listed.jobs))


@require_safe
@role_required("viewer")
@tells_problems
def backup(request: ConsoleRequest, backup_id: str) -> HttpResponseBase:
    """Show one backup; its live part follows a job to its end."""
    return page_of(request, backup_id)


def page_of(
    request: ConsoleRequest,
    backup_id: str,
    *,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page as it is now, with what somebody had typed where it was refused."""
    number = request.GET.get("page", "")[:7]
    seen = backup_page(backup_id, page=int(number) if number.isdecimal() else 1)
    link = Link(reverse("backup", args=[backup_id]))
    context = {
        "seen": seen,
        "verify_form": VerifyForm(),
        "download_form": ReasonForm(),
        "delete_form": DeleteForm(),
        "place_form": PlaceForm(initial={"name": seen.new_name}),
        "place_address": reverse("backup_place", args=[backup_id]),
        "has_runner": seen.has_runner,
        "links": _page_links(link, seen),
        **powers(request),
        **(extra or {}),
    }
    return _answer(request, "backup", context, seen.stamp, is_busy=bool(seen.jobs), status=status)


def powers(request: ConsoleRequest) -> dict[str, bool]:
    """What pages of backups offer to this person."""
    return {
        "may_back_up": includes(request.role, "operator") and not settings.READ_ONLY,
        "may_restore": includes(request.role, "admin") and not settings.READ_ONLY,
    }


def _answer(
    request: ConsoleRequest,
    name: str,
    context: dict[str, Any],
    stamp: str,
    *,
    is_busy: bool,
    status: int = 200,
) -> HttpResponse:
    """The page or its live part; to a look that finds nothing new only the bar."""
    last = looks.look_of(request)
    look = looks.next_look(last, every_s=_EVERY_S, stamp=stamp, said="")
    context |= {"look": look, "is_busy": is_busy and not look.is_over}
    page, part = f"{name}.html", f"_{name}_live.html"
    if last is None:
        return page_or_part(request, page, part, context, status=status)
    if last.stamp == look.stamp and context["is_busy"]:
        response = render(request, "_backups_bar.html", context)
        response.headers["HX-Retarget"] = "#backups-bar"
        return response
    return render(request, part, context, status=200 if context["is_busy"] else STOP_POLLING)


def _link(form: BackupFilters) -> Link:
    """The page's own address: what is valid in its query."""
    asked = [
        (name, str(form.data[name]))
        for name in form.fields
        if form.data.get(name) and name not in form.errors and name != "page"
    ]
    return Link(reverse("backups"), tuple(asked))


def _list_links(link: Link, listed: BackupList) -> dict[str, str]:
    return {
        "self": str(link.page(listed.page)),
        "live": str(link.page(listed.page)),
        "clean": link.path,
        "json": str(link.at(reverse("backups_json"))),
        "csv": str(link.at(reverse("backups_csv"))),
        **neighbours(link, listed.page, listed.pages),
    }


def _page_links(link: Link, seen: BackupPage) -> dict[str, str]:
    return {
        "self": str(link.page(seen.page)),
        **neighbours(link, seen.page, seen.pages),
    }


def _months(listed: BackupList, link: Link) -> dict[str, Any]:
    """The calendar's days with their addresses, and the months before and after."""
    first = listed.month.first
    plain = link.drop("day")
    weeks = [
        [day and {"day": day, "url": str(link.set("day", day.date.isoformat()))} for day in week]
        for week in listed.month.weeks
    ]
    return {
        "weeks": weeks,
        "earlier": str(plain.set("month", _other(first, -1))),
        "later": str(plain.set("month", _other(first, 1))),
    }


def _other(first: date, step: int) -> str:
    at = first.year * 12 + first.month - 1 + step
    year = min(max(at // 12, 1), 9999)
    return f"{year:04}-{at % 12 + 1:02}"
