"""What may stand in the addresses of backups, and what their forms send."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from .forms_migration import ReasonField
from .services.backup_list import WantedBackups
from .services.backup_places import NAME

STORE_ID = re.compile(r"\A[0-9a-f]{12}\Z")
_REF = re.compile(r"\A[0-9a-f]{16}\Z")
_DIGEST = re.compile(r"\A[0-9a-f]{16,64}\Z")
_MOST = 10_000
_DAY_S = 86_400.0

STATES = (
    ("", lazy("Any")),
    ("proven", lazy("proven restorable")),
    ("unchecked", lazy("never checked")),
    ("damaged", lazy("damaged")),
    ("held", lazy("held")),
)


class MonthField(forms.CharField):
    """A month, as ``2026-11``; the first of it."""

    def clean(self, value: Any) -> date | None:
        text = super().clean(value)
        try:
            month = date.fromisoformat(f"{text}-01") if text else None
        except ValueError as error:
            raise forms.ValidationError(_("Write a month such as 2026-11.")) from error
        _check_year(month)
        return month


class DayField(forms.DateField):
    """A day, as ``2026-11-29``."""

    def clean(self, value: Any) -> date | None:
        day: date | None = super().clean(value)
        _check_year(day)
        return day


def _check_year(day: date | None) -> None:
    # A calendar's page has days of the months around it, which have to be dates as well.
    if day is not None and not 1970 <= day.year <= 9000:
        raise forms.ValidationError(_("Write a year such as 2026."))


class BackupFilters(forms.Form):
    """One field per parameter of the list's address."""

    store = forms.RegexField(STORE_ID, required=False, label=lazy("Store"))
    state = forms.ChoiceField(required=False, choices=STATES, label=lazy("State"))
    day = DayField(required=False, input_formats=["%Y-%m-%d"], label=lazy("Day"))
    month = MonthField(required=False, max_length=7, label=lazy("Month"))
    page = forms.IntegerField(required=False, min_value=1, max_value=10_000_000)

    def wanted(self) -> WantedBackups:
        """What is asked for, with everything that is not valid left out."""
        self.is_valid()
        read = self.cleaned_data
        return WantedBackups(
            store_id=read.get("store") or "",
            state=read.get("state") or "",
            day=read.get("day"),
            month=read.get("month"),
            page=read.get("page") or 1,
        )


class OptionalReason(forms.CharField):
    """Why, where that may be left out."""

    def __init__(self) -> None:
        super().__init__(required=False, max_length=500)


class CreateForm(forms.Form):
    """A new backup: of all stores, of some, or of sessions that were picked before."""

    transcripts = forms.BooleanField(required=False)
    reason = OptionalReason()

    @property
    def stores(self) -> tuple[str, ...]:
        """The ids that were ticked."""
        return listed_in(self.data, "store", STORE_ID)


class VerifyForm(forms.Form):
    """How deep to look: the structure, the n-th of t parts, every byte, or a trial restore."""

    depth = forms.ChoiceField(
        choices=[(n, n) for n in ("structure", "part", "everything", "drill")]
    )
    part = forms.IntegerField(required=False, min_value=1, max_value=100)
    parts = forms.IntegerField(required=False, min_value=1, max_value=100)

    def clean(self) -> dict[str, Any]:
        read = super().clean() or {}
        if read.get("depth") == "part":
            part, parts = read.get("part"), read.get("parts")
            if not part or not parts or part > parts:
                raise forms.ValidationError(_("Say which part of how many, such as 1 of 10."))
        return read


class HoldForm(forms.Form):
    """Keep it whatever a policy says, or stop that."""

    held = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")])
    reason = OptionalReason()


class DeleteForm(forms.Form):
    """Removing one for good: its id has to be typed."""

    reason = ReasonField()
    typed = forms.CharField(max_length=60, error_messages={"required": lazy("Type its id.")})

    def __init__(self, query: QueryDict | None = None, *, expected: str = "") -> None:
        super().__init__(query)
        self._expected = expected

    def clean_typed(self) -> str:
        typed = str(self.cleaned_data["typed"]).strip()
        if typed != self._expected:
            raise forms.ValidationError(_("This is not the id of the backup."))
        return typed


class CompareForm(forms.Form):
    """What to compare with the store: everything, sessions, or fields of one session."""

    @property
    def refs(self) -> tuple[str, ...]:
        """Short ids of sessions in the backup; none means everything."""
        return listed_in(self.data, "session", _REF)

    @property
    def field_ids(self) -> tuple[str, ...]:
        """Fields as the comparison names them."""
        return listed_in(self.data, "field", re.compile(r"[A-Za-z0-9_.-]{1,64}"))


class PlaceForm(forms.Form):
    """A restore to a new place."""

    name = forms.RegexField(
        NAME,
        max_length=80,
        error_messages={
            "required": lazy("Name the new place."),
            "invalid": lazy("Small letters, digits, dot, dash and underscore; no path."),
        },
    )
    reason = ReasonField()
    digest = forms.RegexField(_DIGEST, max_length=64, required=False)


class InPlaceForm(forms.Form):
    """A restore in place; for everything the store's name has to be typed."""

    digest = forms.RegexField(_DIGEST, max_length=64)
    reason = ReasonField()
    typed = forms.CharField(required=False, max_length=400)

    def __init__(self, query: QueryDict | None = None, *, expected: str = "") -> None:
        super().__init__(query)
        self._expected = expected

    def clean_typed(self) -> str:
        typed = str(self.cleaned_data.get("typed", "")).strip()
        if self._expected and typed != self._expected:
            raise forms.ValidationError(_("This is not the name of the store."))
        return typed


class RecoverForm(PlaceForm):
    """Copying what a candidate holds to a new place."""

    candidate = forms.RegexField(_REF, max_length=16)


def listed_in(data: Any, name: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """The values of a parameter that are what they should be, each once."""
    values: Iterable[str] = data.getlist(name) if isinstance(data, QueryDict) else ()
    return tuple(dict.fromkeys(value for value in values if pattern.fullmatch(value)))
