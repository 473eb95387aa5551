"""What stands around the rows of the session list: headings, facets, chips, pages.

Everything that leads somewhere is an address made from the list's own, so each works as a
plain link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .columns import COLUMNS, SESSION, Column
from .forms import SessionFilters
from .links import Link
from .list_words import left_out, no_such_page
from .services.refs import digest
from .services.rows import FLAG_WORDS
from .services.sessions import SessionList

_FACETS = ("agent", "kind", "channel", "status", "flag")
_SHOWN_VALUES = 8


@dataclass(frozen=True, slots=True)
class Heading:
    """One column heading; ``sorted`` is the word for aria-sort, empty when it is not the order."""

    name: str
    label: str
    numeric: bool
    url: str
    sorted: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a facet, with how many rows choosing it would show."""

    id: str
    label: str
    count: int
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A way to narrow the list. ``more`` are the values behind a fold."""

    name: str
    label: str
    choices: tuple[Choice, ...]
    more: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter that is on, and the address without it."""

    label: str
    value: str
    url: str


def headings(form: SessionFilters, link: Link, columns: Sequence[str]) -> list[Heading]:
    """Headings of the shown columns, each a link that sorts by it."""
    order = form.cleaned_data.get("sort") or "-updated"
    shown = [column for column in COLUMNS if column.name in columns]
    return [heading(column, order, link) for column in (SESSION, *shown)]


def heading(column: Column, order: str, link: Link) -> Heading:
    """One heading, which sorts by its column, or the other way round if that is the order."""
    if not column.sort:
        return Heading(column.name, str(column.label), column.numeric, "", "")
    is_order = order.lstrip("-") == column.sort
    is_down = order.startswith("-")
    turn_down = not is_down if is_order else column.starts_down
    return Heading(
        name=column.name,
        label=str(column.label),
        numeric=column.numeric,
        url=str(link.set("sort", f"-{column.sort}" if turn_down else column.sort)),
        sorted=("descending" if is_down else "ascending") if is_order else "",
    )


def sort_choices() -> list[tuple[str, str]]:
    """Every order, for the phone, where the table has no headings."""
    choices = []
    for column in (SESSION, *COLUMNS):
        if column.sort:
            down, up = _directions(column)
            signs = (("-", down), ("", up)) if column.starts_down else (("", up), ("-", down))
            choices += [(sign + column.sort, words % column.label) for sign, words in signs]
    return choices


def _directions(column: Column) -> tuple[str, str]:
    if not column.starts_down:
        return _("%s, Z to A"), _("%s, A to Z")
    if column.numeric:
        return _("%s, largest first"), _("%s, smallest first")
    return _("%s, latest first"), _("%s, oldest first")


def facets(form: SessionFilters, listed: SessionList, link: Link) -> list[Facet]:
    """Every facet that has something to choose from."""
    found = []
    for name in _FACETS:
        if name == "agent" and listed.store_id is not None:
            continue
        chosen = set(form.cleaned_data.get(name) or ())
        counts = dict(listed.facets.get(name, {}))
        counts.update({value: 0 for value in chosen if value not in counts})
        counts = {
            value: count
            for value, count in counts.items()
            if value and (count or value in chosen or name == "agent")
        }
        choices = [_choice(name, value, count, chosen, link) for value, count in counts.items()]
        choices.sort(key=lambda choice: (not choice.chosen, -choice.count, choice.label))
        if choices and (len(choices) > 1 or name != "agent"):
            label = str(form.fields[name].label)
            found.append(
                Facet(name, label, tuple(choices[:_SHOWN_VALUES]), tuple(choices[_SHOWN_VALUES:]))
            )
    if listed.locked or form.cleaned_data.get("locked") == "yes":
        found.append(_lock_facet(form, listed, link))
    return found


def _lock_facet(form: SessionFilters, listed: SessionList, link: Link) -> Facet:
    chosen = form.cleaned_data.get("locked") == "yes"
    url = str(link.set("locked", None if chosen else "yes"))
    choice = Choice("facet-locked", _("held by a writer"), listed.locked, url, chosen)
    return Facet("locked", _("Lock"), (choice,), ())


def _choice(name: str, value: str, count: int, chosen: set[str], link: Link) -> Choice:
    label = str(FLAG_WORDS[value][0]) if name == "flag" and value in FLAG_WORDS else value
    ident = f"facet-{name}-{digest(value)[:12]}"
    return Choice(ident, label, count, str(link.toggle(name, value)), value in chosen)


def chips(form: SessionFilters, link: Link) -> list[Chip]:
    """Every filter that is on, as it was written, each removable."""
    return list(_chips(form, link))


def _chips(form: SessionFilters, link: Link) -> Iterator[Chip]:
    single = ("q", "key", "overrides", "damaged", "locked", "after", "before", "over")
    for name, value in link.items:
        if not value or name not in form.fields or name in form.errors:
            continue
        label = str(form.fields[name].label)
        if name in _FACETS:
            word = str(FLAG_WORDS[value][0]) if value in FLAG_WORDS else value
            yield Chip(label, word, str(link.toggle(name, value)))
        elif name in single:
            word = {"yes": _("yes"), "no": _("no")}.get(value, value)
            yield Chip(label, word, str(link.set(name, None)))


def machine_note(form: SessionFilters, listed: SessionList, link: Link) -> tuple[str, str, str]:
    """A sentence on machine sessions, what its link says, and where that leads; empty when moot."""
    if listed.hidden_machine:
        sentence = ngettext(
            "%(count)s machine session hidden",
            "%(count)s machine sessions hidden",
            listed.hidden_machine,
        ) % {"count": f"{listed.hidden_machine:,}"}
        return sentence, _("Show"), str(link.set("machine", "yes"))
    if form.cleaned_data.get("machine") == "yes":
        return _("Machine sessions shown"), _("Hide"), str(link.set("machine", None))
    return "", "", ""


def notes(form: SessionFilters, listed: SessionList) -> list[str]:
    """What the address asked for that the page does not do, in sentences."""
    asked, page = listed.asked_page, listed.page
    return [*left_out(form.unknown()), *no_such_page(asked, page)]


def errors(form: SessionFilters) -> list[tuple[str, str]]:
    """Problems of fields that have no place of their own on the page, with the field's label."""
    visible = {"q", "key", "after", "before", "over"}
    return [
        (str(form.fields[name].label), str(message))
        for name, messages in form.errors.items()
        if name in form.fields and name not in visible
        for message in messages
    ]


def emptiness(chips_on: Sequence[Chip], listed: SessionList) -> str:
    """Which of the reasons for an empty list it is; empty when there are rows."""
    if listed.rows:
        return ""
    if listed.total == 0:
        return "reading" if listed.late else "nothing"
    return "machine" if listed.hidden_machine and not chips_on else "none-match"


def facet_state(link: Link) -> list[tuple[str, str]]:
    """Parameters that the filter form has no field for and must carry along."""
    carried = {*_FACETS, "machine", "live"}
    return [item for item in link.items if item[0] in carried]
