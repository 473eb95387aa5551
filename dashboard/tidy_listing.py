"""What stands around lists of findings and of plans' items: facets, chips, pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from django.http import QueryDict

from .links import Link
from .listing import Chip, Choice, Facet
from .services.refs import digest

_SHOWN_VALUES = 10


def facet(
    name: str,
    label: str,
    counts: Mapping[str, int],
    chosen: Sequence[str],
    link: Link,
    said: Callable[[str], str],
) -> Facet | None:
    """One way to narrow a list; None where there is nothing to choose from."""
    counts = {value: counts.get(value, 0) for value in (*counts, *chosen) if value}
    if len(counts) < 2 and not chosen:
        return None
    choices = [
        Choice(
            id=f"facet-{name}-{digest(value)[:12]}",
            label=said(value),
            count=count,
            url=str(link.toggle(name, value)),
            chosen=value in chosen,
        )
        for value, count in counts.items()
    ]
    choices.sort(key=lambda choice: (not choice.chosen, -choice.count, choice.label))
    return Facet(name, label, tuple(choices[:_SHOWN_VALUES]), tuple(choices[_SHOWN_VALUES:]))


def chips(
    link: Link, labels: Mapping[str, str], said: Mapping[str, Callable[[str], str]]
) -> list[Chip]:
    """Every filter that is on, removable; ``said`` gives the words of values by parameter."""
    return [
        Chip(labels[name], said.get(name, str)(value), str(link.toggle(name, value)))
        for name, value in link.items
        if name in labels
    ]


def page_number(query: QueryDict) -> int:
    """The page that an address names; the first where it names none."""
    number = query.get("page", "")[:7]
    return max(1, int(number)) if number.isdecimal() else 1
