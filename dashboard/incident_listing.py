"""What stands around the rows of the list of incidents: chips, notes, addresses of other pages."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .forms_incidents import STATES, USUAL_SIZE, IncidentFilters
from .links import Link
from .listing import Chip
from .services.incidents.listing import IncidentList


def link_of(form: IncidentFilters, query: QueryDict) -> Link:
    """The list's own address: what it knows of the query, in the order it was written."""
    items = [
        (name, value)
        for name, values in query.lists()
        for value in values[-1:]
        if name in form.fields and value and (name, value) != ("per", str(USUAL_SIZE))
    ]
    return Link(reverse("incidents"), tuple(items))


def links(link: Link, listed: IncidentList) -> dict[str, str]:
    """The addresses that the page offers; empty where there is nothing to go to."""
    page, everything = listed.page, link.drop("page")
    return {
        "self": str(link),
        "clean": link.path,
        "previous": str(link.page(page - 1)) if page > 1 else "",
        "next": str(link.page(page + 1)) if page < listed.pages else "",
        "json": str(everything.at(reverse("incidents_json"))),
        "csv": str(everything.at(reverse("incidents_csv"))),
    }


def chips(form: IncidentFilters, link: Link, listed: IncidentList) -> list[Chip]:
    """Every filter that is on, in words, each removable."""
    states = {name: str(word) for name, word in STATES}
    stores = {reader.id: reader.name for reader in listed.stores}
    words = {"state": states, "store": stores}
    return [
        Chip(
            str(form.fields[name].label),
            words.get(name, {}).get(value, value),
            str(link.set(name, None)),
        )
        for name, value in link.drop("page", "per").items
        if name not in form.errors
    ]


def notes(form: IncidentFilters, listed: IncidentList) -> list[str]:
    """What the address asked for that the page does not do, in sentences."""
    said = []
    if unknown := form.unknown():
        sentence = ngettext(
            "The address has a parameter that means nothing here and was left out: %s.",
            "The address has parameters that mean nothing here and were left out: %s.",
            len(unknown),
        )
        said.append(sentence % ", ".join(unknown[:10]))
    if listed.asked_page is not None:
        said.append(
            _("Page %(asked)s does not exist; this is the last one, page %(page)s.")
            % {"asked": f"{listed.asked_page:,}", "page": f"{listed.page:,}"}
        )
    return said


def errors(form: IncidentFilters) -> Iterator[tuple[str, str]]:
    """Problems of fields that have no place of their own on the page, with the field's label."""
    for name in ("state", "store", "page", "per"):
        for message in form.errors.get(name, ()):
            yield str(form.fields[name].label), _("%s It was left out.") % message
