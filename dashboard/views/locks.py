"""Locks: who holds what, who waits, and what may be done; the list and one lock."""

from __future__ import annotations

import math
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard import listing
from dashboard.columns import LOCK_COLUMNS
from dashboard.forms_locks import ClearForm, LockFilters
from dashboard.jobs import looks
from dashboard.links import Link
from dashboard.list_words import neighbours
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.fleet import fleet
from dashboard.services.locks_list import LockList, list_locks
from dashboard.services.locks_page import lock_page, not_held, support_text
from dashboard.services.locks_session import session_locks
from dashboard.services.only_read import is_only_read
from dashboard.services.session import Session

from .answers import STOP_POLLING, page_or_part, tells_problems

_EVERY_S = 2
_SLOWEST_S = 30
_REST = 50


@require_safe
@role_required("viewer")
@tells_problems
def locks(request: ConsoleRequest, store_id: str | None = None) -> HttpResponseBase:
    """Show one page of the list; its live part looks again every few seconds."""
    return list_of(request, store_id)


def list_of(
    request: ConsoleRequest,
    store_id: str | None,
    *,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The list as it is now, with what is to be said above it.

    Raises:
        ProblemError: there is no such store.
    """
    form = LockFilters(request.GET)
    wanted = form.wanted()
    last = looks.look_of(request)
    listed = list_locks(wanted, store_id=store_id, is_live=last is not None)
    link = _link(form, store_id)
    look = looks.next_look(last, every_s=_interval_s(listed.took_s), stamp=listed.stamp, said="")
    context = {
        "list": listed,
        "form": form,
        "store_id": store_id,
        "is_not_applicable": store_id is not None and is_only_read(fleet().reader(store_id)),
        "headings": [listing.heading(one, wanted.order, link) for one in LOCK_COLUMNS],
        "links": _links(link, listed, store_id),
        "look": look,
        "is_live": form.cleaned_data.get("live") != "off",
        **(extra or {}),
    }
    if last is None:
        response = page_or_part(request, "locks.html", "_locks_live.html", context, status=status)
        if request.headers.get("HX-Trigger") == "filters":
            # The form sends empty fields too; the address names what differs.
            response.headers["HX-Replace-Url"] = str(link)
        return response
    return _next(request, last, look, context, name="locks")


@require_safe
@role_required("viewer")
@tells_problems
def lock(request: ConsoleRequest, store_id: str, lock_id: str) -> HttpResponseBase:
    """Show one lock; its live part follows it until it is let go."""
    return page_of(request, store_id, lock_id)


def page_of(
    request: ConsoleRequest,
    store_id: str,
    lock_id: str,
    *,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a lock as it is now, with what somebody had typed where it was refused.

    Raises:
        ProblemError: there is no such store or no such lock any more.
    """
    last = looks.look_of(request)
    page = lock_page(store_id, lock_id, is_live=last is not None)
    if page.row is None and last is None:
        raise not_held(page)
    link = Link(reverse("lock", args=[store_id, lock_id]))
    if request.GET.get("live") == "off":
        link = link.set("live", "off")
    look = looks.next_look(last, every_s=_EVERY_S, stamp=page.stamp, said="")
    context = {
        "page": page,
        "row": page.row,
        "support": support_text(page),
        "may_clear": includes(request.role, "operator") and not settings.READ_ONLY,
        "clear_form": ClearForm(),
        "look": look,
        "is_live": not link.items,
        "links": {
            "self": str(link),
            "json": reverse("lock_json", args=[store_id, lock_id]),
            "pause": str(link.set("live", "off")),
            "resume": link.path,
        },
        **(extra or {}),
    }
    if last is None:
        return page_or_part(request, "lock.html", "_lock_live.html", context, status=status)
    return _next(request, last, look, context, name="lock", is_over=page.row is None)


def locks_tab(session: Session) -> dict[str, Any]:
    """What the tab of locks of one session shows."""
    name = session.transcript.path.rpartition("/")[2] if session.transcript else ""
    still = [listing.Heading(c.name, str(c.label), c.numeric, "", "") for c in LOCK_COLUMNS]
    return {
        "locks": session_locks(session.row.store_id, session.row.ref, name),
        "lock_headings": still,
    }


def _next(
    request: ConsoleRequest,
    last: looks.Look,
    look: looks.Look,
    context: dict[str, Any],
    *,
    name: str,
    is_over: bool = False,
) -> HttpResponse:
    """Answer a look: the part, or where nothing is new only the bar, which looks later."""
    is_over = is_over or look.is_over
    context |= {"is_over": is_over}
    if last.stamp != look.stamp or is_over:
        status = STOP_POLLING if is_over else 200
        return render(request, f"_{name}_live.html", context, status=status)
    response = render(request, f"_{name}_bar.html", context)
    response.headers["HX-Retarget"] = f"#{name}-bar"
    return response


def _interval_s(took_s: float) -> int:
    """How soon to look again: looking takes at most a fiftieth of the time."""
    return max(_EVERY_S, min(_SLOWEST_S, math.ceil(_REST * took_s)))


def _link(form: LockFilters, store_id: str | None) -> Link:
    """The page's own address: what is valid in its query."""
    path = reverse("locks") if store_id is None else reverse("store_locks", args=[store_id])
    usual = {("sort", "-held"), ("page", "1")}
    asked = [
        (name, str(form.data[name]))
        for name in form.fields
        if form.data.get(name) and name not in form.errors
    ]
    return Link(path, tuple(item for item in asked if item not in usual))


def _links(link: Link, listed: LockList, store_id: str | None) -> dict[str, str]:
    prefix, place = ("", []) if store_id is None else ("store_", [store_id])
    rows = link.drop("page", "live")
    return {
        "self": str(link),
        "clean": link.path,
        "json": str(rows.at(reverse(f"{prefix}locks_json", args=place))),
        "csv": str(rows.at(reverse(f"{prefix}locks_csv", args=place))),
        **neighbours(link, listed.page, listed.pages),
        "pause": str(link.set("live", "off").page(listed.page)),
        "resume": str(link.set("live", None).page(listed.page)),
    }
