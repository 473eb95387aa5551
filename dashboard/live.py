"""What a live list tells the server with each look: which rows it shows, and since when.

It travels in the ``X-Live`` header, not in the address, so the address stays the state of the
page and nothing else. The sign-in does not count these requests as use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.http import HttpRequest

LONGEST_S = 30 * 60
"""A list that nobody touched for this long stops by itself."""
_MOST_ROWS = 100
_ROW = re.compile(r"([0-9a-f]{12})-([0-9a-f]{16,64})")


@dataclass(frozen=True, slots=True)
class Live:
    """One look of a live list. ``shown`` are pairs of store id and session id, in order."""

    since_s: int
    shown: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, request: HttpRequest) -> Live | None:
        """Read the header; None when this is not the look of a live list. Bad rows are left out."""
        header = request.headers.get("X-Live")
        if header is None or not getattr(request, "htmx", False):
            return None
        since, _, rows = header.partition(" ")
        found = _ROW.findall(rows)[:_MOST_ROWS]
        return cls(int(since) if re.fullmatch(r"\d{1,12}", since) else 0, tuple(found))

    def is_over(self, now_s: float) -> bool:
        """Whether the list has been left alone for too long."""
        return now_s - self.since_s > LONGEST_S
