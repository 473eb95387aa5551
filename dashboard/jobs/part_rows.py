"""How far the item at hand of a running job is, as pages show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from dashboard.models import JobItem
from dashboard.services.tree import shown
from dashboard.templatetags.show import span


@dataclass(frozen=True, slots=True)
class PartRow:
    """One item on its way. ``rate`` is per second since it began to count what it counts now."""

    done: int
    total: int
    name: str
    rate: float | None
    left_s: float | None

    @property
    def percent(self) -> int:
        """How much of it is done."""
        return 100 * self.done // self.total if self.total else 0

    @property
    def speed_words(self) -> str:
        """Rate and time left, said for a person; empty where they cannot be told."""
        if self.rate is None or self.left_s is None:
            return ""
        rate = f"{self.rate:,.0f}" if self.rate >= 10 else f"{self.rate:.1f}"
        said = {"rate": rate, "left": span(max(1, self.left_s))}
        return _("%(rate)s a second, about %(left)s left") % said


def parts_of(job_ids: Iterable[int]) -> dict[int, PartRow]:
    """The item at hand of each job that has one which says how far it is."""
    items = JobItem.objects.filter(job__in=list(job_ids), in_flight=True, part_total__gt=0)
    return {item.job_id: part_of(item) for item in items}


def part_of(item: JobItem) -> PartRow:
    """How far an item is, or was when it broke off."""
    rate = left_s = None
    if item.part_at and item.part_since:
        ran_s = (item.part_at - item.part_since).total_seconds()
        done_here = item.part_done - item.part_from
        if ran_s >= 1 and done_here > 0:
            rate = done_here / ran_s
            left_s = max(0, item.part_total - item.part_done) / rate
    return PartRow(item.part_done, item.part_total, shown(item.part_name), rate, left_s)
