"""What may stand in the address of a page of latencies, read into types with bounds.

A number of hours, a time or a word that means nothing is told at its field and otherwise left out:
no parameter can ask for more work than a page is allowed.
"""

from __future__ import annotations

import time
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from .forms import Filters, MomentField, Several
from .services.latency_charts import SERIES_WORDS
from .services.latency_look import Wanted
from .services.latency_span import HOUR_MS, HOURS, LONGEST_MS

SCOPES = (("", _("Any")), ("session", _("one session")), ("store", _("whole store")))
LAYOUTS = (
    ("", _("Any")),
    ("directory", _("one file per session")),
    ("legacy", _("one sessions.json")),
)


class LatencyFilters(Filters):
    """One field per parameter. ``from`` and ``to`` choose any window, ``window`` the last hours."""

    window = forms.TypedChoiceField(
        required=False,
        coerce=int,
        choices=[(hours, str(hours)) for hours in HOURS],
        label=_("Hours"),
        error_messages={"invalid_choice": _("Choose 1, 6, 24 or 72 hours, or write two times.")},
    )
    agent = Several(required=False, label=_("Agent"))
    operation = Several(required=False, label=_("Operation"))
    scope = forms.ChoiceField(required=False, choices=SCOPES, label=_("Lock"))
    layout = forms.ChoiceField(required=False, choices=LAYOUTS, label=_("Layout"))
    series = forms.ChoiceField(
        required=False,
        choices=[("", _("All")), *SERIES_WORDS.items()],
        label=_("Charts"),
    )

    def __init__(self, query: QueryDict, *, zone: ZoneInfo) -> None:
        super().__init__(query, auto_id="filter-%s")
        self._query = query
        for name, label in (("from", _("From")), ("to", _("To"))):
            field = MomentField(required=False, max_length=40, label=label)
            field.zone = zone
            self.fields[name] = field

    def clean(self) -> dict[str, object]:
        """Refuse a window that ends before it begins, or is longer than a year."""
        read = self.cleaned_data
        start_ms, end_ms = read.get("from"), read.get("to")
        if start_ms is not None:
            length_ms = (end_ms or _now_ms()) - start_ms
            if length_ms <= 0:
                self.add_error("from", _("The window must begin before it ends, and before now."))
            elif length_ms > LONGEST_MS:
                self.add_error("from", _("A window is a year at most."))
        return read

    def wanted(self) -> Wanted:
        """What is asked for, with everything that is not valid left out; the last hour if nothing.

        The end is never after now.
        """
        self.is_valid()
        read = self.cleaned_data
        now_ms = _now_ms()
        hours = read.get("window") or HOURS[0]
        start_ms, end_ms = read.get("from"), read.get("to")
        end_ms = now_ms if end_ms is None else min(end_ms, now_ms)
        is_chosen = start_ms is not None or read.get("to") is not None
        return Wanted(
            start_ms=end_ms - hours * HOUR_MS if start_ms is None else min(start_ms, end_ms),
            end_ms=end_ms,
            hours=None if is_chosen else hours,
            agents=frozenset(read.get("agent") or ()),
            operations=frozenset(read.get("operation") or ()),
            scope=read.get("scope") or "",
            layout=read.get("layout") or "",
            series=read.get("series") or "",
        )

    def asked(self) -> list[tuple[str, str]]:
        """What the address says that means something here, in its order; bad values left out."""
        return [
            (name, value)
            for name, values in self._query.lists()
            for value in values
            if name in self.fields and value and name not in self.errors
        ]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
