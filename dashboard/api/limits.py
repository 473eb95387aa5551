"""How many requests one token may make: counted in the database, for all processes together."""

from __future__ import annotations

import time

from django.db.models import F
from django.utils.translation import gettext as _

from dashboard.models import ApiUse

from .answers import ApiError

WINDOW_S = 60
REQUESTS = 600
CHANGES = 120
"""How many requests, and how many of them changes, a token may make in a window."""


def count(prefix: str, *, is_change: bool, now_s: float | None = None) -> None:
    """Count a request of the token with this prefix.

    Windows are minutes of the clock. Two processes that begin one at the same moment may count
    one request less.

    Raises:
        ApiError: it has made too many, with the seconds to wait.
    """
    at_s = time.time() if now_s is None else now_s
    use = _counted(prefix, int(at_s // WINDOW_S), int(is_change))
    if use.requests > REQUESTS or (is_change and use.changes > CHANGES):
        wait_s = WINDOW_S - int(at_s % WINDOW_S)
        raise ApiError(
            "too_many_requests",
            _("A token may make %(requests)d requests a minute, %(changes)d of them changes.")
            % {"requests": REQUESTS, "changes": CHANGES},
            next_step=_("Wait %d seconds.") % wait_s,
            headers={"Retry-After": str(wait_s)},
        )


def _counted(prefix: str, window: int, changes: int) -> ApiUse:
    mine = ApiUse.objects.filter(prefix=prefix)
    is_open = mine.filter(window=window)
    if not is_open.update(requests=F("requests") + 1, changes=F("changes") + changes):
        first = {"window": window, "requests": 1, "changes": changes}
        return ApiUse.objects.update_or_create(prefix=prefix, defaults=first)[0]
    return mine.get()
