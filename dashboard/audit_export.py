"""Which events one export of the audit log holds: so many at most, named before the first is sent.

An answer that takes too long is cut by the server, in the middle of a line where it may be. So an
export is bounded by count, and by the time it may take to find its events; what is left is the
next one's, which goes on from the number that this one names.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .audit_filters import LARGEST, Asked
from .audit_pages import matching, read, stretches, whole
from .models import AuditEvent

MOST = 20_000
"""How many events one export holds at most: some 15 MB, a few seconds of work."""

BUDGET_S = 20.0
"""How long an export looks for events that match before it begins with those it has found."""

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Export:
    """The numbers of its events, newest first; ``following`` is where the next export begins.

    ``following`` is None when every older event was looked at.
    """

    numbers: tuple[int, ...]
    following: int | None

    def events(self) -> Iterator[AuditEvent]:
        """Its events, read a few at a time."""
        for first in range(0, len(self.numbers), _AT_ONCE):
            some = self.numbers[first : first + _AT_ONCE]
            yield from read(AuditEvent.objects.filter(sequence__in=some).order_by("-sequence"))


def find_export(asked: Asked, *, newest: int, budget_s: float = BUDGET_S) -> Export:
    """Find the events that match and are not newer than ``newest``, as far as one export goes."""
    below = min(asked.below or LARGEST, newest + 1)
    asked = replace(asked, below=below, above=None)
    until = time.monotonic() + budget_s
    found: list[int] = []
    for stretch in stretches(asked, down=True):
        numbers = matching(asked).filter(stretch.where).order_by("-sequence")
        found += whole(numbers.values_list("sequence", flat=True)[: MOST + 1 - len(found)])
        if len(found) > MOST:
            return Export(tuple(found[:MOST]), found[MOST])
        if time.monotonic() > until and stretch.end > 1:
            return Export(tuple(found), stretch.end - 1)
    return Export(tuple(found), None)
