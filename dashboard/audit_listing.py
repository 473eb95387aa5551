"""What stands around the events of the audit log: chips, notes, addresses of other pages."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .audit_filters import USUAL_SIZE, AuditFilters
from .audit_pages import Page
from .links import Link
from .listing import Chip

#: Parameters that say where in the log the page lies, and not what is listed.
_PLACE = ("below", "above")


def link_of(form: AuditFilters, query: QueryDict) -> Link:
    """The log's own address: what it knows of the query, in the order it was written."""
    items = [
        (name, value)
        for name, values in query.lists()
        for value in values[-1:]
        if name in form.fields and value and (name, value) != ("per", str(USUAL_SIZE))
    ]
    return Link(reverse("audit"), tuple(items))


def links(link: Link, page: Page) -> dict[str, str]:
    """The addresses that the page offers; empty where there is nothing to go to."""
    start = link.drop(*_PLACE)
    return {
        "self": str(link),
        "clean": link.path,
        "newest": str(start) if start != link else "",
        "newer": str(start.set("above", str(page.newer))) if page.newer else "",
        "older": str(start.set("below", str(page.older))) if page.older else "",
        "json": str(start.at(reverse("audit_json"))),
        "csv": str(start.at(reverse("audit_csv"))),
    }


def chips(form: AuditFilters, link: Link) -> list[Chip]:
    """Every filter that is on, as it was written, each removable."""
    start = link.drop(*_PLACE)
    return [
        Chip(str(form.fields[name].label), value, str(start.drop(name)))
        for name, value in start.items
        if name != "per" and name not in form.errors
    ]


def notes(form: AuditFilters) -> list[str]:
    """What the address asked for that the page does not do, in sentences."""
    unknown = form.unknown()
    if not unknown:
        return []
    sentence = ngettext(
        "The address has a parameter that means nothing here and was left out: %s.",
        "The address has parameters that mean nothing here and were left out: %s.",
        len(unknown),
    )
    return [sentence % ", ".join(unknown[:10])]


def errors(form: AuditFilters) -> Iterator[tuple[str, str]]:
    """Problems of fields that have no place of their own on the page, with the field's label."""
    for name in ("below", "above", "per", "outcome"):
        for message in form.errors.get(name, ()):
            yield str(form.fields[name].label), _("%s It was left out.") % message
