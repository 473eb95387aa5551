"""Compare layouts: is a store the same in every form that is there?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.forms_layouts import LayoutFilters
from dashboard.links import Link
from dashboard.list_words import neighbours
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.compare_layouts import LayoutForm, LayoutPage, LayoutRow, layouts_page
from dashboard.services.compare_layouts_one import layout_session
from dashboard.services.problems import ProblemError

from .answers import page_or_part, tells_problems

_FIELDS = ("ref", "key", "outcome", "forms", "damaged", "fields", "more_fields")


@require_safe
@role_required("viewer")
@tells_problems
def layouts(request: ConsoleRequest, store_id: str) -> HttpResponseBase:
    """Show what each form has, and each session with its outcome."""
    form = LayoutFilters(request.GET)
    wanted = form.wanted()
    seen = layouts_page(store_id, wanted)
    link = _link(form, store_id)
    context = {
        "seen": seen,
        "form": form,
        "facets": _facets(seen, link),
        "links": _links(seen, link, store_id),
    }
    return page_or_part(request, "layouts.html", "_layouts_view.html", context)


@require_safe
@role_required("viewer")
@tells_problems
def layout(request: HttpRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Show one session in each form, field by field."""
    return render(request, "layout.html", {"seen": layout_session(store_id, ref)})


@require_safe
@role_required("viewer")
@tells_problems
def layouts_json(request: HttpRequest, store_id: str) -> HttpResponseBase:
    """Give every session that the filters let through as JSON."""
    seen = _compared(request, store_id)
    around = {
        "store_id": seen.store_id,
        "store": seen.name,
        "read_at": twins.iso(seen.read_at_ms),
        "total": seen.total,
        "matched": seen.matched,
        "counts": {name: count for name, _word, count in seen.counts},
        "forms": [_plain_form(one) for one in seen.forms],
        "ignored": ["sessionFile of the form sqlite:…"],
    }
    rows = (_plain(row) for row in seen.every_row)
    return twins.json_stream(f"layouts-{seen.name}", around, "sessions", rows)


@require_safe
@role_required("viewer")
@tells_problems
def layouts_csv(request: HttpRequest, store_id: str) -> HttpResponseBase:
    """Give the same sessions as CSV."""
    seen = _compared(request, store_id)
    rows = (
        [" ".join(v) if isinstance(v, list) else v for v in _plain(row).values()]
        for row in seen.every_row
    )
    return twins.csv_response(f"layouts-{seen.name}", list(_FIELDS), rows)


@require_safe
@role_required("viewer")
@tells_problems
def layout_json(request: HttpRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Give one session in each form as JSON."""
    seen = layout_session(store_id, ref)
    content = {
        "store_id": seen.store_id,
        "store": seen.store,
        "key": seen.key,
        "read_at": twins.iso(seen.read_at_ms),
        "forms": {
            state.name: {
                "is_there": state.is_there,
                "problem": state.problem.message if state.problem else None,
                "entry": state.entry,
            }
            for state in seen.states
        },
        "differs": {
            f"{pair.before} / {pair.after}": [one.name for one in pair.comparison.pairs]
            for pair in seen.pairs
        },
    }
    return twins.json_response(f"layout-{seen.title}", content)


def _compared(request: HttpRequest, store_id: str) -> LayoutPage:
    seen = layouts_page(store_id, LayoutFilters(request.GET).wanted())
    if seen.problem is not None:
        raise ProblemError(seen.problem)
    return seen


def _plain(row: LayoutRow) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in _FIELDS}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}


def _plain_form(form: LayoutForm) -> dict[str, Any]:
    return {**asdict(form), "problem": form.problem.message if form.problem else None}


def _link(form: LayoutFilters, store_id: str) -> Link:
    """The page's own address: what is valid in its query."""
    asked = [
        (name, str(form.data[name]))
        for name in form.fields
        if form.data.get(name) and name not in form.errors
    ]
    items = tuple(item for item in asked if item != ("page", "1"))
    return Link(reverse("store_layouts", args=[store_id]), items)


def _facets(seen: LayoutPage, link: Link) -> list[dict[str, Any]]:
    chosen = seen.wanted.outcome
    found = [("", _("all"), seen.total), *seen.counts]
    if chosen and chosen not in {name for name, _word, _n in seen.counts}:
        found.append((chosen, _("the one asked for"), 0))
    return [
        {
            "label": word,
            "count": count,
            "url": str(link.set("outcome", name or None)),
            "is_current": name == chosen,
        }
        for name, word, count in found
    ]


def _links(seen: LayoutPage, link: Link, store_id: str) -> dict[str, str]:
    rows = link.drop("page")
    return {
        "self": str(link),
        "clean": link.path,
        "json": str(rows.at(reverse("store_layouts_json", args=[store_id]))),
        "csv": str(rows.at(reverse("store_layouts_csv", args=[store_id]))),
        **neighbours(link, seen.page, seen.pages),
    }
