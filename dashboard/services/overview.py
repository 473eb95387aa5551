"""Is anything wrong right now? One sentence per check, with its state and what proves it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.conf import settings

from .check import Check
from .check_memory import is_evaluated
from .checks import all_checks
from .fleet import LIVE_AGE_S
from .latency_trends import Trends, trends_of_stores
from .pace import Pace, pace
from .sharing import Shared
from .stores import StoreList, StoreRow, list_stores

_ORDER = {"bad": 0, "watch": 1, "ok": 2, "unknown": 3}


@dataclass(frozen=True, slots=True)
class Totals:
    """What all stores hold together; None while no store has been read."""

    agents: int
    stores: int
    sessions: int | None
    machine_sessions: int | None
    bytes: int | None
    newest_at_ms: int | None
    layouts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the first page. ``state`` is that of the worst check."""

    state: str
    checks: tuple[Check, ...]
    stores: StoreList
    totals: Totals
    environment: str
    read_only: bool
    template: str
    is_settled: bool
    """A runner evaluates the checks, so that states do not flicker."""
    cost: Pace
    trends: Trends

    @property
    def count(self) -> dict[str, int]:
        """How many checks are in each state."""
        return dict(Counter(check.state for check in self.checks))

    @property
    def wrong(self) -> tuple[Check, ...]:
        """Checks that ask for a look, worst first."""
        return tuple(check for check in self.checks if check.state in ("bad", "watch"))

    @property
    def fine(self) -> tuple[Check, ...]:
        """Checks that were made and are good; the page folds them under one line."""
        return tuple(check for check in self.checks if check.state == "ok")

    @property
    def unchecked(self) -> tuple[Check, ...]:
        """Checks of which nothing is known, which is never good."""
        return tuple(check for check in self.checks if check.state == "unknown")

    @property
    def settled_before(self) -> int:
        """How many checks stand before those of which nothing is known."""
        return len(self.wrong) + len(self.fine)


def overview(*, live: bool = False) -> Overview:
    """Look at every store once and say what was found; live parts share a look."""
    return _shared.get("overview", lambda: _look(live=True)) if live else _look(live=False)


_shared: Shared[Overview] = Shared(LIVE_AGE_S)


def _look(*, live: bool) -> Overview:
    age_s = LIVE_AGE_S if live else 0.0
    stores = list_stores(sort="sessions", descending=True, max_age_s=age_s)
    checks = sorted(all_checks(stores), key=lambda check: _ORDER[check.state])
    return Overview(
        state=checks[0].state if checks else "unknown",
        checks=tuple(checks),
        stores=stores,
        totals=_totals(stores.opened),
        environment=settings.ENVIRONMENT_NAME,
        read_only=settings.READ_ONLY,
        template=settings.STORE_TEMPLATE or "",
        is_settled=is_evaluated(),
        cost=pace(),
        trends=trends_of_stores(stores),
    )


def _totals(rows: tuple[StoreRow, ...]) -> Totals:
    known = [row for row in rows if row.sessions is not None]
    newest = [row.newest_at_ms for row in known if row.newest_at_ms is not None]
    layouts = Counter(row.layout_words for row in known)
    return Totals(
        agents=len({row.name for row in rows}),
        stores=len(rows),
        sessions=sum(row.sessions or 0 for row in known) if known else None,
        machine_sessions=sum(row.machine_sessions or 0 for row in known) if known else None,
        bytes=sum(row.bytes or 0 for row in known) if known else None,
        newest_at_ms=max(newest, default=None),
        layouts=tuple(layouts.most_common()),
    )
