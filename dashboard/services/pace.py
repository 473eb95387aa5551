"""How often live parts look: less often while the console costs more than its budget.

Every live part's interval and every shared reading's age is multiplied by :func:`stretch`. It grows
step by step while the share of a core that reading and live parts take is over
SESSIONSTORE_BUDGET_PERCENT, and shrinks step by step when it is well below: a factor computed from
the share alone would settle above the budget, since the share falls as soon as the factor works.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from . import own_cost

STEP_S = 10.0
MOST = 20.0
LONGEST_S = 300
_WELL_BELOW = 0.7
_FASTER = 1.5


@dataclass(frozen=True, slots=True)
class Pace:
    """What reading and live parts take of one core, what they may take, and what follows.

    ``budget_percent`` is 0 where there is no limit.
    """

    share_percent: float
    budget_percent: int
    stretch: float

    @property
    def is_backing_off(self) -> bool:
        """Whether live parts look less often than they would."""
        return self.stretch > 1

    @property
    def sentence(self) -> str:
        """All of it in words."""
        share = f"{self.share_percent:.1f}"
        if not self.budget_percent:
            return _(
                "%(share)s %% of a core goes into reading and live parts; no budget is set."
            ) % {"share": share}
        said = {"share": share, "budget": self.budget_percent, "times": f"{self.stretch:.1f}"}
        if self.is_backing_off:
            return (
                _(
                    "%(share)s %% of a core goes into reading and live parts, of a budget of "
                    "%(budget)d %%; live parts look %(times)s times less often."
                )
                % said
            )
        return (
            _(
                "%(share)s %% of a core goes into reading and live parts, of a budget of "
                "%(budget)d %%."
            )
            % said
        )


class Controller:
    """The factor of one process; the share is that of all processes of the console."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._stretch = 1.0
        self._share_percent = 0.0
        self._stepped_s = -math.inf

    def pace(self) -> Pace:
        """The pace of now. Looks at the published costs at most every ten seconds."""
        with self._guard:
            now_s = time.monotonic()
            if now_s - self._stepped_s >= STEP_S:
                self._stepped_s = now_s
                self._share_percent = share_percent()
                self._stretch = stepped(
                    self._stretch, self._share_percent, float(settings.BUDGET_PERCENT)
                )
            return Pace(self._share_percent, int(settings.BUDGET_PERCENT), self._stretch)


def stepped(stretch: float, share: float, budget: float) -> float:
    """The factor after one more step. Pure."""
    if not budget:
        return 1.0
    if share > budget:
        return min(MOST, stretch * min(2.0, share / budget))
    return max(1.0, stretch / _FASTER) if share < _WELL_BELOW * budget else stretch


def share_percent() -> float:
    """The share of one core that all processes together took lately."""
    return 100 * own_cost.recent_of_all_s() / own_cost.RECENT_S


_controller = Controller()


def pace() -> Pace:
    """What reading costs, and the factor that follows."""
    return _controller.pace()


def stretch() -> float:
    """The factor; 1 while reading stores costs no more than it may."""
    return _controller.pace().stretch


def interval_s(usual_s: float) -> int:
    """How many seconds a live part waits that usually waits ``usual_s``."""
    factor = stretch()
    return max(math.ceil(usual_s), min(LONGEST_S, math.ceil(usual_s * factor)))
