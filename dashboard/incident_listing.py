"""What stands around the rows of the list of incidents: chips, notes, addresses of other pages."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import QueryDict
from django.urls import reverse

from .forms_incidents import STATES, USUAL_SIZE, IncidentFilters
from .links import Link
from .list_words import field_errors, left_out, neighbours, no_such_page, own_address
from .listing import Chip
from .services.incidents.listing import IncidentList


def link_of(form: IncidentFilters, query: QueryDict) -> Link:
    """The list's own address: what it knows of the query, in the order it was written."""
    return own_address(form, query, reverse("incidents"), usual_size=USUAL_SIZE)


def links(link: Link, listed: IncidentList) -> dict[str, str]:
    """The addresses that the page offers; empty where there is nothing to go to."""
    everything = link.drop("page")
    return {
        "self": str(link),
        "clean": link.path,
        **neighbours(link, listed.page, listed.pages),
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
    asked, page = listed.asked_page, listed.page
    return [*left_out(form.unknown()), *no_such_page(asked, page)]


def errors(form: IncidentFilters) -> Iterator[tuple[str, str]]:
    """Problems of fields that have no place of their own on the page, with the field's label."""
    return field_errors(form, ("state", "store", "page", "per"))
