"""Jobs: what is running, what did it do, and is it done?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.acting import actor_of
from dashboard.jobs import looks
from dashboard.jobs.item_rows import item_word
from dashboard.jobs.kinds import forgets
from dashboard.jobs.listing import JobFilters, JobList, kind_choices, list_jobs, people
from dashboard.jobs.page import ItemFilters, JobPage, job_page
from dashboard.jobs.seeing import state_word
from dashboard.jobs.steps import steps_for
from dashboard.links import Link
from dashboard.list_words import neighbours
from dashboard.models.jobs import CANCELLED, FAILED
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.edit_acts import OWN_PAGES

from .answers import STOP_POLLING, page_or_part, tells_problems

_SLOWEST_S = 10
_USUAL = {("page", "1"), ("per", "50")}
_PAGES = {"job-list": "jobs.html", "job": "job.html"}


@require_safe
@role_required("viewer")
@tells_problems
def jobs(request: HttpRequest) -> HttpResponseBase:
    """Show one page of the list; HTMX gets the list without its form."""
    form = JobFilters(request.GET)
    listed = list_jobs(form.asked())
    link = _link(form, reverse("jobs"))
    every_s = min((looks.interval_s(row) for row in listed.rows), default=_SLOWEST_S)
    context = {
        "form": form,
        "list": listed,
        "kinds": kind_choices(),
        "people": people(),
        "tabs": _tabs(link, "state", listed.counts, state_word),
        "links": _links(link, listed.page, listed.pages),
        "is_live": form.cleaned_data.get("live") != "off",
    }
    response = _answer(request, listed, context, name="job-list", every_s=every_s)
    if request.headers.get("HX-Trigger") == "filters":
        # The form sends empty fields too; the address names what differs.
        response.headers["HX-Replace-Url"] = str(link)
    return response


@require_safe
@role_required("viewer")
@tells_problems
def job(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Show a job; its live part stops when the job is over."""
    form = ItemFilters(request.GET)
    page = job_page(job_id, form)
    link = _link(form, reverse("job", args=[job_id]))
    actor = actor_of(cast(ConsoleRequest, request))
    context = {
        "job": page,
        "row": page.row,
        "may_undo": includes(actor.role, "operator") and not settings.READ_ONLY,
        "steps": steps_for(actor, page.job, is_stalled=page.row.silent_s is not None),
        "tabs": _tabs(link, "result", page.results, item_word),
        "links": _links(link, page.page, page.pages),
        "is_live": form.cleaned_data.get("live") != "off",
        "is_over": page.row.is_over,
        "is_of_backups": page.job.kind.startswith("backup."),
        "forgotten": _forgotten(page),
        "redo": _redo(page, actor.role),
    }
    return _answer(request, page, context, name="job", every_s=looks.interval_s(page.row))


def _forgotten(page: JobPage) -> bool:
    """Whether it ended without doing what was typed for it, which is not kept."""
    is_left = page.row.is_over and bool({FAILED, CANCELLED} & page.results.keys())
    return is_left and forgets(page.job)


def _redo(page: JobPage, role: str) -> str:
    """Where this person can ask anew for what such a job did not do; else empty."""
    item = next(iter(page.items), None)
    if not _forgotten(page) or item is None or not item.ref or settings.READ_ONLY:
        return ""
    place: list[Any] = [item.store_id, item.ref]
    action, as_text = page.job.params.get("action"), page.job.params.get("as_text")
    if not includes(role, "admin" if as_text or action == "delete" else "operator"):
        return ""
    if action == "delete":
        return reverse("session_delete", args=place)
    if action in OWN_PAGES:
        return reverse("session_act", args=[*place, action])
    return reverse("session_edit_json" if as_text else "session_edit", args=place)


def _answer(
    request: HttpRequest,
    seen: JobList | JobPage,
    context: dict[str, Any],
    *,
    name: str,
    every_s: int,
) -> HttpResponse:
    """The page or its part; to a look that finds nothing new only the bar, which looks later."""
    last = looks.look_of(request)
    look = looks.next_look(last, every_s=every_s, stamp=seen.stamp, said=seen.milestone)
    is_news = last is not None and last.said != look.said
    context |= {"look": look, "announcement": seen.announcement if is_news else ""}
    part = f"_{name.replace('-', '_')}_live.html"
    if last is None:
        return page_or_part(request, _PAGES[name], part, context)
    is_over = bool(context.get("is_over")) or look.is_over
    status = STOP_POLLING if is_over else 200
    if last.stamp != look.stamp or is_over:
        return render(request, part, context, status=status)
    response = render(request, f"_{name.replace('-', '_')}_bar.html", context, status=status)
    response.headers["HX-Retarget"] = f"#{name}-bar"
    return response


def _link(form: forms.Form, path: str) -> Link:
    """The page's own address: what it knows of the query and what is valid in it."""
    asked = [
        (name, str(form.data[name]))
        for name in form.fields
        if form.data.get(name) and name not in form.errors
    ]
    return Link(path, tuple(item for item in asked if item not in _USUAL))


def _links(link: Link, page: int, pages: int) -> dict[str, str]:
    path = link.path.rstrip("/")
    rows = link.drop("page", "per", "live")
    return {
        "self": str(link),
        "clean": link.path,
        "json": str(rows.at(f"{path}.json")),
        "csv": str(rows.at(f"{path}.csv")),
        **neighbours(link, page, pages),
        "pause": str(link.set("live", "off").page(page)),
        "resume": str(link.set("live", None).page(page)),
    }


def _tabs(
    link: Link, name: str, counts: dict[str, int], word: Callable[[str], str]
) -> list[dict[str, Any]]:
    """One tab for all, and one for each value that some have or that is asked for."""
    asked = dict(link.items).get(name, "")
    known = {**counts, **({asked: 0} if asked and asked not in counts else {})}
    tabs = [
        {"value": "", "label": _("All"), "count": sum(counts.values()), "url": link.set(name, None)}
    ]
    tabs += [
        {
            "value": value,
            "label": word(value).capitalize(),
            "count": count,
            "url": link.set(name, value),
        }
        for value, count in known.items()
    ]
    return [{**tab, "is_current": tab["value"] == asked} for tab in tabs]
