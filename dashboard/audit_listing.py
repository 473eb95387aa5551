"""What stands around the events of the audit log: chips, notes, addresses of other pages."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import QueryDict
from django.urls import reverse

from .audit_filters import USUAL_SIZE, AuditFilters
from .audit_pages import Page
from .links import Link
from .list_words import field_errors, left_out, own_address
from .listing import Chip

#: Parameters that say where in the log the page lies, and not what is listed.
_PLACE = ("below", "above")


def link_of(form: AuditFilters, query: QueryDict) -> Link:
    """The log's own address: what it knows of the query, in the order it was written."""
    return own_address(form, query, reverse("audit"), usual_size=USUAL_SIZE)


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
    return left_out(form.unknown())


def errors(form: AuditFilters) -> Iterator[tuple[str, str]]:
    """Problems of fields that have no place of their own on the page, with the field's label."""
    return field_errors(form, ("below", "above", "per", "outcome"))
