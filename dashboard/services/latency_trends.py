"""The last hour of each store in two small lines: how long locks were waited for, how many updates.

For pages that are about something else. Read in the stores' threads within the page's budget; a
store that is slow comes back as its problem and says so.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from .amounts import latency, rate
from .fleet import fleet, page_budget_s
from .history import look_at
from .latency_look import Wanted, step_sums
from .latency_span import HOUR_MS, Span, span_of
from .latency_sums import WAIT, Sums
from .problems import Problem
from .readers import Reader
from .sparklines import Sparkline, sparkline_of
from .stores import StoreList

_FINEST_MS = 60_000
_LEAST_S = 0.2
"""A store that took all of the page's time may still have its history in memory."""


@dataclass(frozen=True, slots=True)
class Trend:
    """One store, or several, over the last hour. ``timeouts`` is None where nobody reported."""

    wait: Sparkline
    updates: Sparkline
    wait_p95: str
    rate: str
    count: int | None
    timeouts: int | None


@dataclass(frozen=True, slots=True)
class Trends:
    """All stores together, each by its id, and those that did not answer in time."""

    together: Trend
    by_store: dict[str, Trend | Problem]
    late: tuple[str, ...]


def trends_of(readers: Sequence[Reader], *, budget_s: float | None = None) -> Trends:
    """Look at the last hour of every store."""
    now_ms = time.time_ns() // 1_000_000
    span = span_of(now_ms - HOUR_MS, now_ms, finest_ms=_FINEST_MS)
    wanted = Wanted(span.start_ms, span.end_ms)
    found = look_at(readers, lambda history: step_sums(history, span, wanted), budget_s=budget_s)
    known = [steps for steps in found.values() if not isinstance(steps, Problem)]
    return Trends(
        together=_trend(_together(known, span), span),
        by_store={
            ident: steps if isinstance(steps, Problem) else _trend(steps, span)
            for ident, steps in found.items()
        },
        late=tuple(r.name for r in readers if isinstance(found[r.id], Problem)),
    )


def trends_of_stores(stores: StoreList) -> Trends:
    """The last hour of stores that a page has looked at, in what that look left of its budget."""
    known = (fleet().known(row.id) for row in stores.opened)
    left_s = max(_LEAST_S, page_budget_s() - stores.took_s)
    return trends_of([reader for reader in known if reader is not None], budget_s=left_s)


def _together(stores: Sequence[Sequence[Sums | None]], span: Span) -> list[Sums | None]:
    steps: list[Sums | None] = [None] * span.count
    for store in stores:
        for place, part in enumerate(store):
            if part is None:
                continue
            step = steps[place]
            if step is None:
                step = steps[place] = Sums()
            step.merge(part)
    return steps


def _trend(steps: Sequence[Sums | None], span: Span) -> Trend:
    total = Sums()
    for step in steps:
        if step is not None:
            total.merge(step)
    is_reported = any(step is not None for step in steps)
    waits = total.figures(WAIT)
    return Trend(
        wait=sparkline_of(
            [None if step is None else step.figures(WAIT).p95 or 0.0 for step in steps],
            what=_("Lock wait, p95 by minute over the last hour"),
            say=latency,
        ),
        updates=sparkline_of(
            [
                None if step is None else 60_000 * step.updates / (end - start)
                for step, (start, end) in zip(steps, span.edges(), strict=True)
            ],
            what=_("Updates a minute over the last hour"),
            say=lambda value: f"{value:,.0f}",
        ),
        wait_p95="" if waits.p95 is None else latency(waits.p95),
        rate=rate(total.updates, span.length_ms / 1000) if is_reported else "",
        count=total.updates if is_reported else None,
        timeouts=total.timeouts if is_reported else None,
    )
