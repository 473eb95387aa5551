"""What a live part tells the server with each look: what is on the screen, and how often it asks.

It travels in the ``X-Live`` header, as that of live lists does, so that looking is not use. A look
that finds nothing new makes the next one wait twice as long, up to a limit; a change makes it
short again.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from django.http import HttpRequest

from dashboard.live import LONGEST_S

from .rows import JobRow

_HEADER = re.compile(r"(\d{1,12}) (\d{1,4}) ([0-9a-f]{16})(?: ([0-9a-z.,-]{0,200}))?")
_SLOWEST = 5


@dataclass(frozen=True, slots=True)
class Look:
    """One look. ``stamp`` is the digest of what is shown; ``said`` what was announced last."""

    since_s: int
    every_s: int
    stamp: str
    said: str

    def __str__(self) -> str:
        return f"{self.since_s} {self.every_s} {self.stamp} {self.said}"

    @property
    def is_over(self) -> bool:
        """Whether the page has been left alone for too long."""
        return time.time() - self.since_s > LONGEST_S


def look_of(request: HttpRequest) -> Look | None:
    """Read the header; None when this is not the look of a live part."""
    found = _HEADER.fullmatch(request.headers.get("X-Live", ""))
    if found is None or not getattr(request, "htmx", False):
        return None
    # Browsers cut the space off when nothing was announced.
    return Look(int(found[1]), int(found[2]), found[3], found[4] or "")


def next_look(last: Look | None, *, every_s: int, stamp: str, said: str) -> Look:
    """What the next look says, when what is shown now has this stamp."""
    if last is None:
        return Look(int(time.time()), every_s, stamp, said)
    if last.stamp == stamp:
        every_s = min(max(every_s, 2 * last.every_s), _SLOWEST * every_s)
    return Look(last.since_s, every_s, stamp, said)


def interval_s(row: JobRow) -> int:
    """How soon a job is worth another look, in seconds."""
    if row.state == "running":
        return 2
    return 4 if row.state == "waiting" else 10
