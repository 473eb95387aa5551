"""What may stand in the address of the session list, read into types with bounds.

Bad input is told at its field and otherwise left out, so a typing error never empties a list.
A parameter that nobody knows is named, not obeyed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from .columns import COLUMNS, DEFAULT_COLUMNS
from .services.vocabulary import FLAGS, KINDS, SORTS, Wanted

PAGE_SIZES = (25, 50, 100)
_EITHER = [("", _("Any")), ("yes", _("Yes")), ("no", _("No"))]
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*(b|k|kb|kib|m|mb|mib|g|gb|gib)?", re.IGNORECASE)
_AGO = re.compile(r"(\d{1,6})\s*(min|h|d|w)", re.IGNORECASE)
_AGO_UNITS = {"min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_FACTORS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class SizeField(forms.CharField):
    """Bytes, as ``5000``, ``64 KiB`` or ``1.5m``."""

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        found = _SIZE.fullmatch(text)
        if found is None:
            raise forms.ValidationError(_("Write a size such as 64 KiB, 1.5 MiB or 5000."))
        return int(float(found[1]) * _FACTORS[(found[2] or "")[:1].lower()])


class MomentField(forms.CharField):
    """A time, as ``2026-11-20``, ``2026-11-20 14:30`` or ``7d`` (seven days ago); epoch ms."""

    zone: ZoneInfo | None = None

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        moment = self._ago(text) or self._written(text)
        if moment is None or not 1970 <= moment.year <= 9999:
            raise forms.ValidationError(
                _(
                    "Write a date such as 2026-11-20, with a time as in 2026-11-20 14:30, "
                    "or 7d for seven days ago."
                )
            )
        return int(moment.timestamp() * 1000)

    def _ago(self, text: str) -> datetime | None:
        found = _AGO.fullmatch(text)
        if found is None:
            return None
        length = timedelta(seconds=int(found[1]) * _AGO_UNITS[found[2].lower()])
        try:
            return datetime.now(UTC) - length
        except OverflowError:
            return None

    def _written(self, text: str) -> datetime | None:
        try:
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)
        except ValueError:
            return None


class Several(forms.MultipleChoiceField):
    """Words of a fixed set, or of any when ``choices`` is empty; at most 100."""

    def valid_value(self, value: str) -> bool:
        return super().valid_value(value) if self.choices else len(value) <= 200

    def clean(self, value: Any) -> list[str]:
        words = [word for word in super().clean(value) if word]
        if len(words) > 100:
            raise forms.ValidationError(_("At most 100 values."))
        return words


class Filters(forms.Form):
    """What may stand in the address of a list: a field for each parameter."""

    def unknown(self) -> tuple[str, ...]:
        """Parameters of the address that mean nothing here."""
        return tuple(sorted(name[:40] for name in self.data if name not in self.fields))


class SessionFilters(Filters):
    """One field per parameter of the session list's address."""

    q = forms.CharField(required=False, max_length=200, label=_("Text"))
    key = forms.CharField(required=False, max_length=400, label=_("Key pattern"))
    kind = Several(required=False, choices=[(kind, kind) for kind in KINDS], label=_("Kind"))
    channel = Several(required=False, label=_("Channel"))
    status = Several(required=False, label=_("State"))
    flag = Several(required=False, choices=[(flag, flag) for flag in FLAGS], label=_("Note"))
    agent = Several(required=False, label=_("Agent"))
    overrides = forms.ChoiceField(required=False, choices=_EITHER, label=_("Has override"))
    damaged = forms.ChoiceField(required=False, choices=_EITHER, label=_("Damaged"))
    locked = forms.ChoiceField(
        required=False, choices=[("", _("Any")), ("yes", _("Yes"))], label=_("Locked now")
    )
    after = MomentField(required=False, max_length=40, label=_("Updated after"))
    before = MomentField(required=False, max_length=40, label=_("Updated before"))
    over = SizeField(required=False, max_length=20, label=_("Size over"))
    machine = forms.ChoiceField(required=False, choices=_EITHER, label=_("Machine sessions"))
    sort = forms.ChoiceField(
        required=False,
        choices=[(sign + name, name) for name in SORTS for sign in ("", "-")],
        label=_("Sort by"),
    )
    cols = Several(required=False, choices=[(c.name, c.label) for c in COLUMNS], label=_("Columns"))
    row = Several(required=False, label=_("Selected rows"))
    select = forms.ChoiceField(
        required=False, choices=[("", _("None")), ("page", _("All"))], label=_("Rows ticked")
    )
    live = forms.ChoiceField(
        required=False, choices=[("", _("On")), ("off", _("Off"))], label=_("Live")
    )
    page = forms.IntegerField(required=False, min_value=1, max_value=10_000_000, label=_("Page"))
    per = forms.TypedChoiceField(
        required=False,
        coerce=int,
        choices=[(n, str(n)) for n in PAGE_SIZES],
        label=_("Rows per page"),
    )

    def __init__(self, query: QueryDict, *, zone: ZoneInfo) -> None:
        super().__init__(query, auto_id="filter-%s")
        self._query = query
        for name in ("after", "before"):
            field = self.fields[name]
            assert isinstance(field, MomentField)
            field.zone = zone

    def wanted(self) -> Wanted:
        """What is asked for, with everything that is not valid left out."""
        self.is_valid()
        read = self.cleaned_data
        sort = read.get("sort") or "-updated"
        return Wanted(
            text=read.get("q") or "",
            key_pattern=read.get("key") or "",
            kinds=frozenset(read.get("kind") or ()),
            channels=frozenset(read.get("channel") or ()),
            statuses=frozenset(read.get("status") or ()),
            flags=frozenset(read.get("flag") or ()),
            agents=frozenset(read.get("agent") or ()),
            overrides=_either(read.get("overrides")),
            damaged=_either(read.get("damaged")),
            locked=read.get("locked") == "yes",
            updated_after_ms=read.get("after"),
            updated_before_ms=read.get("before"),
            min_bytes=read.get("over"),
            machine=_either(read.get("machine")) is True,
            sort=sort.lstrip("-"),
            descending=sort.startswith("-"),
            page=read.get("page"),
            per=read.get("per") or 50,
        )

    def columns(self) -> tuple[str, ...]:
        """Names of the columns to show, in the order of the table."""
        chosen = self.cleaned_data.get("cols") or DEFAULT_COLUMNS
        return tuple(column.name for column in COLUMNS if column.name in chosen)

    def asked(self) -> list[tuple[str, str]]:
        """What the address says that means something here, in its order."""
        return [
            (name, value)
            for name, values in self._query.lists()
            for value in values
            if name in self.fields and value
        ]


def _either(word: str | None) -> bool | None:
    return {"yes": True, "no": False}.get(word or "")
