"""What a live list tells the server with each look: which rows it shows, how, and since when.

It travels in the ``X-Live`` header, not in the address, so the address stays the state of the
page and nothing else. The sign-in does not count these requests as use.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from django.http import HttpRequest

LONGEST_S = 30 * 60
"""A list that nobody touched for this long stops by itself."""
_MOST_ROWS = 100
_STAMP = re.compile(r"[0-9a-f]{16}")
_ROW = re.compile(r"([0-9a-f]{12})-([0-9a-f]{16,64})")


@dataclass(frozen=True, slots=True)
class Live:
    """One look of a live list. ``shown`` are pairs of store id and session id, in order.

    ``stamp`` is the digest of the rows as they are on the screen.
    """

    since_s: int
    stamp: str
    shown: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        rows = " ".join(f"{store}-{ref}" for store, ref in self.shown)
        return f"{self.since_s} {self.stamp} {rows}"

    @classmethod
    def of(cls, request: HttpRequest) -> Live | None:
        """Read the header; None when this is not the look of a live list. Bad rows are left out."""
        header = request.headers.get("X-Live")
        if header is None or not getattr(request, "htmx", False):
            return None
        since, _, rest = header.partition(" ")
        stamp, _, rows = rest.partition(" ")
        return cls(
            since_s=int(since) if re.fullmatch(r"\d{1,12}", since) else 0,
            stamp=stamp if _STAMP.fullmatch(stamp) else "",
            shown=tuple(_ROW.findall(rows)[:_MOST_ROWS]),
        )

    def is_over(self, now_s: float) -> bool:
        """Whether the list has been left alone for too long."""
        return now_s - self.since_s > LONGEST_S


def stamp_of(*shown: object) -> str:
    """Digest what is on a screen, so that the next look can tell whether anything differs."""
    text = "\0".join(str(part) for part in shown)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
