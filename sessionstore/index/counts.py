"""How many rows have which kind, channel, status and flag, kept up to date row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .rows import FACETS, Traits


class Counts:
    """The facets of all rows, and of those that are no machine's."""

    def __init__(self, traits: Counter[Traits]) -> None:
        self.machine = 0
        self.everything: dict[str, Counter[str]] = new_facets()
        self.people: dict[str, Counter[str]] = new_facets()
        for found, count in traits.items():
            self.add(found, count)

    def add(self, traits: Traits, step: int) -> None:
        """Count ``step`` rows more, or fewer."""
        count_into(self.everything, traits, step)
        if traits.machine:
            self.machine += step
        else:
            count_into(self.people, traits, step)


def new_facets() -> dict[str, Counter[str]]:
    """Empty counters, one per facet."""
    return {facet: Counter() for facet in FACETS}


def count_into(facets: dict[str, Counter[str]], traits: Traits, step: int) -> None:
    """Add ``step`` rows of these traits to every facet."""
    values: Iterable[tuple[str, str]] = (
        ("kind", traits.kind),
        ("channel", traits.channel),
        ("status", traits.status),
        *(("flag", flag) for flag in traits.flags),
    )
    for facet, value in values:
        if value:
            counter = facets[facet]
            counter[value] += step
            if not counter[value]:
                del counter[value]
