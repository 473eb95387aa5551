"""Small lines beside a number: finished points, with the sentence that says the same in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

Points = tuple[float | None, ...]
"""Values in order; None where nobody reported."""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """``points`` to draw and ``label`` to read; ``last`` is the newest value, said."""

    points: Points
    label: str
    last: str = ""

    @property
    def is_known(self) -> bool:
        """Whether anything was reported."""
        return any(point is not None for point in self.points)


def sparkline_of(
    points: Sequence[float | None], *, what: str, say: Callable[[float], str]
) -> Sparkline:
    """A sparkline whose label tells the newest value, the highest, and the gaps."""
    known = [point for point in points if point is not None]
    if not known:
        return Sparkline(tuple(points), _("%s: nobody reported.") % what)
    last = say(known[-1])
    said = _("%(what)s: last %(last)s, highest %(highest)s.") % {
        "what": what,
        "last": last,
        "highest": say(max(known)),
    }
    silent = len(points) - len(known)
    if silent:
        gap = _("No report in %(silent)d of %(all)d parts of it.")
        said = f"{said} {gap % {'silent': silent, 'all': len(points)}}"
    return Sparkline(tuple(points), said, last)
