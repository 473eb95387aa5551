"""What every list says around its rows: what of an address was left out, and its own addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .links import Link

_MOST_NAMED = 10


def left_out(unknown: Sequence[str]) -> list[str]:
    """A sentence on parameters that mean nothing; none where all do."""
    if not unknown:
        return []
    said = ngettext(
        "The address has a parameter that means nothing here and was left out: %s.",
        "The address has parameters that mean nothing here and were left out: %s.",
        len(unknown),
    )
    return [said % ", ".join(unknown[:_MOST_NAMED])]


def no_such_page(asked: int | None, page: int) -> list[str]:
    """A sentence on a page that does not exist, where the last one is shown; else none."""
    if asked is None:
        return []
    said = _("Page %(asked)s does not exist; this is the last one, page %(page)s.")
    return [said % {"asked": f"{asked:,}", "page": f"{page:,}"}]


def field_errors(form: forms.Form, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Problems of fields that have no place of their own on the page, with the field's label."""
    for name in names:
        for message in form.errors.get(name, ()):
            yield str(form.fields[name].label), _("%s It was left out.") % message


def own_address(form: forms.Form, query: QueryDict, path: str, *, usual_size: int) -> Link:
    """A list's own address: what it knows of the query, in the order it was written."""
    items = [
        (name, value)
        for name, values in query.lists()
        for value in values[-1:]
        if name in form.fields and value and (name, value) != ("per", str(usual_size))
    ]
    return Link(path, tuple(items))


def neighbours(link: Link, page: int, count: int) -> dict[str, str]:
    """Addresses of the pages before and after; empty where there is none."""
    return {
        "previous": str(link.page(page - 1)) if page > 1 else "",
        "next": str(link.page(page + 1)) if page < count else "",
    }
