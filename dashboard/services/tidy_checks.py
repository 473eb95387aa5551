"""The check of the overview that goes by the newest checks of the stores."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .amounts import binary
from .check import Check, names_of
from .stores import StoreList
from .tidy_pages import newest_reports

ORPHANS = "orphan-transcript"


def orphans(stores: StoreList) -> Iterator[Check]:
    """Transcripts without a session, as the newest check of each store found them."""
    if not stores.opened:
        return
    reports = newest_reports([row.id for row in stores.opened])
    if not reports:
        yield Check(
            "orphans",
            "unknown",
            _("Transcripts without a session: not checked yet."),
            _("Check the stores once, or have it done every day."),
            "tidy",
        )
        return
    unchecked = [row.name for row in stores.opened if row.id not in reports]
    detail = _("Not checked yet: %s.") % names_of(unchecked) if unchecked else ""
    found = [one.totals[ORPHANS] for one in reports.values() if ORPHANS in one.totals]
    count = sum(one["count"] for one in found)
    size = sum(one["bytes"] for one in found)
    # Only what is too young to be one is below a warning.
    is_old = any(one["severity"] != "info" for one in found)
    yield Check(
        "orphans",
        "watch" if is_old else "unknown" if unchecked else "ok",
        _sentence(count, size),
        detail,
        "tidy",
        f"rule={ORPHANS}" if count else "",
        min(one.examined_at_ms for one in reports.values()),
    )


def _sentence(count: int, size: int) -> str:
    if not count:
        return _("No transcript is without a session.")
    said = ngettext(
        "%(n)s transcript is of no session, %(size)s.",
        "%(n)s transcripts are of no session, %(size)s.",
        count,
    )
    return said % {"n": f"{count:,}", "size": binary(size)}
