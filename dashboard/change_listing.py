"""What stands around the rows of the undo list: chips, notes, addresses of other pages."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import QueryDict
from django.urls import reverse

from .forms_undo import STATES, USUAL_SIZE, ChangeFilters
from .links import Link
from .list_words import field_errors, left_out, neighbours, no_such_page, own_address
from .listing import Chip
from .services.undo_list import ChangeList
from .services.undo_words import action_word


def link_of(form: ChangeFilters, query: QueryDict) -> Link:
    """The list's own address: what it knows of the query, in the order it was written."""
    return own_address(form, query, reverse("changes"), usual_size=USUAL_SIZE)


def links(link: Link, listed: ChangeList) -> dict[str, str]:
    """The addresses that the page offers; empty where there is nothing to go to."""
    everything = link.drop("page")
    return {
        "self": str(link),
        "clean": link.path,
        **neighbours(link, listed.page, listed.pages),
        "json": str(everything.at(reverse("changes_json"))),
        "csv": str(everything.at(reverse("changes_csv"))),
    }


def chips(form: ChangeFilters, link: Link) -> list[Chip]:
    """Every filter that is on, in words, each removable."""
    words = {**dict(STATES)}
    found = []
    for name, value in link.drop("page", "per").items:
        if name in form.errors:
            continue
        word = str(words.get(value, value)) if name == "state" else value
        word = action_word(value) if name == "action" else word
        found.append(Chip(str(form.fields[name].label), word, str(link.set(name, None))))
    return found


def notes(form: ChangeFilters, listed: ChangeList) -> list[str]:
    """What the address asked for that the page does not do, in sentences."""
    asked, page = listed.asked_page, listed.page
    return [*left_out(form.unknown()), *no_such_page(asked, page)]


def errors(form: ChangeFilters) -> Iterator[tuple[str, str]]:
    """Problems of fields that have no place of their own on the page, with the field's label."""
    return field_errors(form, ("person", "action", "state", "job", "page", "per"))
