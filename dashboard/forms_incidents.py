"""What may stand in the addresses of incidents, and what their forms send."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from .forms import PAGE_SIZES, Filters, MomentField
from .forms_backups import STORE_ID, listed_in
from .services.incidents.acts import MOST_NOTE_TEXT, MOST_TITLE, Wish
from .services.incidents.listing import ENDED, OPEN, WantedIncidents

USUAL_SIZE = 50
STATES = ((OPEN, lazy("open")), (ENDED, lazy("ended")))
_EPOCH_MS = re.compile(r"[0-9]{12,14}")
_LATE_MS = 60_000
"""How far in the future a time may be: clocks of browsers and servers differ."""


class InstantField(MomentField):
    """As :class:`MomentField`, and epoch milliseconds as other pages have them in addresses."""

    def clean(self, value: Any) -> int | None:
        text = str(value or "").strip()
        if _EPOCH_MS.fullmatch(text):
            return int(text)
        return super().clean(value)


class TitleField(forms.CharField):
    """What an incident is called."""

    def __init__(self) -> None:
        super().__init__(
            max_length=MOST_TITLE,
            error_messages={"required": lazy("Give it a name that others understand.")},
        )


class NoteText(forms.CharField):
    """What somebody writes to an incident."""

    def __init__(self, *, required: bool = True) -> None:
        super().__init__(
            max_length=MOST_NOTE_TEXT,
            required=required,
            error_messages={"required": lazy("Write something.")},
        )

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


class IncidentFilters(Filters):
    """One field per parameter of the list's address."""

    q = forms.CharField(required=False, max_length=200, label=lazy("Title"))
    state = forms.ChoiceField(
        required=False, choices=[("", lazy("Any")), *STATES], label=lazy("State")
    )
    store = forms.RegexField(STORE_ID, required=False, label=lazy("Store"))
    after = MomentField(required=False, max_length=40, label=lazy("After"))
    before = MomentField(required=False, max_length=40, label=lazy("Before"))
    page = forms.IntegerField(required=False, min_value=1, max_value=10_000_000, label=lazy("Page"))
    per = forms.TypedChoiceField(
        required=False,
        coerce=int,
        choices=[(n, str(n)) for n in PAGE_SIZES],
        label=lazy("Rows per page"),
    )

    def __init__(self, query: QueryDict, *, zone: ZoneInfo) -> None:
        super().__init__(query, auto_id="filter-%s")
        in_zone(self, zone, "after", "before")

    def wanted(self) -> WantedIncidents:
        """What is asked for, with everything that is not valid left out."""
        self.is_valid()
        read = self.cleaned_data
        return WantedIncidents(
            text=read.get("q") or "",
            state=read.get("state") or "",
            store_id=read.get("store") or "",
            after_ms=read.get("after"),
            before_ms=read.get("before"),
            page=read.get("page"),
            per=read.get("per") or USUAL_SIZE,
        )


class MarkForm(forms.Form):
    """Marking an incident. Without an end it lasts."""

    title = TitleField()
    start = InstantField(
        max_length=40, error_messages={"required": lazy("Say when it began.")}, label=lazy("Began")
    )
    end = InstantField(required=False, max_length=40, label=lazy("Ended"))
    note = NoteText(required=False)

    def __init__(self, query: QueryDict | None = None, *, zone: ZoneInfo, **more: Any) -> None:
        super().__init__(query, **more)
        in_zone(self, zone, "start", "end")

    def clean(self) -> dict[str, Any]:
        read = super().clean() or {}
        start_ms, end_ms = read.get("start"), read.get("end")
        latest_ms = time.time_ns() // 1_000_000 + _LATE_MS
        for name in ("start", "end"):
            if (read.get(name) or 0) > latest_ms:
                self.add_error(name, _("This is in the future."))
        if start_ms is not None and end_ms is not None and end_ms < start_ms:
            self.add_error("end", _("It would end before it began."))
        return read

    @property
    def stores(self) -> tuple[str, ...]:
        """The ids that were ticked."""
        return listed_in(self.data, "store", STORE_ID)

    def wish(self) -> Wish:
        """What a valid form asks for."""
        read = self.cleaned_data
        return Wish(read["title"], read["start"], read["end"], self.stores, read["note"])


class EndForm(forms.Form):
    """Ending one; empty is now."""

    end = InstantField(required=False, max_length=40)

    def __init__(self, query: QueryDict | None = None, *, zone: ZoneInfo) -> None:
        super().__init__(query)
        in_zone(self, zone, "end")

    def clean_end(self) -> int:
        now_ms = time.time_ns() // 1_000_000
        end_ms: int | None = self.cleaned_data["end"]
        if end_ms is not None and end_ms > now_ms + _LATE_MS:
            raise forms.ValidationError(_("This is in the future."))
        return now_ms if end_ms is None else end_ms


class RetitleForm(forms.Form):
    """Naming one anew."""

    title = TitleField()


class NoteForm(forms.Form):
    """Writing to one."""

    note = NoteText()


class BundleForm(forms.Form):
    """Taking one along; ``keys`` "masked" in place of digests is for admins."""

    keys = forms.ChoiceField(required=False, choices=[("", ""), ("masked", "masked")])


def in_zone(form: forms.Form, zone: ZoneInfo, *names: str) -> None:
    """Have times without a zone read in this one."""
    for name in names:
        field = form.fields[name]
        assert isinstance(field, MomentField)
        field.zone = zone


def written(at_ms: int, zone: ZoneInfo) -> str:
    """A time the way these forms take it, to the second."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    return f"{moment:%Y-%m-%d %H:%M:%S}"
