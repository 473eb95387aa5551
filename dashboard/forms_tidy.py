"""What may stand in the addresses of findings, plans and runs, and what their forms send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from .forms import Filters, Several
from .forms_backups import STORE_ID
from .forms_migration import ReasonField
from .models.backups import DAILY, WEEKLY
from .services.tidy_findings import ORDERS, SHOWS, WantedFindings
from .services.tidy_items import EXCLUDED, WantedItems
from .services.tidy_policy import (
    REBUILDABLE,
    SESSION_KINDS,
    VALUES,
    MaintenancePolicy,
    read_value,
)
from .services.tidy_schedules import ScheduleWish
from .services.tidy_words import ACTIONS, KIND_WORDS, OUTCOMES, SEVERITIES, SEVERITY_WORDS

_MOST_PAGES = 10_000_000


class Page(forms.IntegerField):
    """The number of a page."""

    def __init__(self) -> None:
        super().__init__(required=False, min_value=1, max_value=_MOST_PAGES, label=lazy("Page"))


class FindingFilters(Filters):
    """One field per parameter of the address of findings."""

    q = forms.CharField(required=False, max_length=200, label=lazy("Text"))
    rule = Several(required=False, label=lazy("Rule"))
    severity = Several(
        required=False,
        choices=[(one, SEVERITY_WORDS[one]) for one in SEVERITIES],
        label=lazy("How bad"),
    )
    store = Several(required=False, label=lazy("Store"))
    show = forms.ChoiceField(
        required=False, choices=[(one, one) for one in SHOWS], label=lazy("Show")
    )
    sort = forms.ChoiceField(
        required=False, choices=[(one, one) for one in ORDERS], label=lazy("Sort by")
    )
    page = Page()

    def __init__(self, query: QueryDict) -> None:
        super().__init__(query, auto_id="filter-%s")
        self._query = query

    def wanted(self) -> WantedFindings:
        """What is asked for, with everything that is not valid left out."""
        self.is_valid()
        read = self.cleaned_data
        return WantedFindings(
            rules=frozenset(read.get("rule") or ()),
            severities=frozenset(read.get("severity") or ()),
            stores=frozenset(s for s in read.get("store") or () if STORE_ID.fullmatch(s)),
            text=read.get("q") or "",
            show=read.get("show") or "",
            order=read.get("sort") or "",
            page=read.get("page") or 1,
        )

    def asked(self) -> list[tuple[str, str]]:
        """What the address says that is valid here, in its order."""
        return [
            (name, value)
            for name, values in self._query.lists()
            for value in values
            if name in self.fields and name not in self.errors and value
        ]


class CheckScheduleForm(forms.Form):
    """A check that is made by itself."""

    every = forms.ChoiceField(choices=[(DAILY, lazy("every day")), (WEEKLY, lazy("every week"))])
    weekday = forms.IntegerField(required=False, min_value=0, max_value=6)
    at = forms.TimeField(
        input_formats=["%H:%M"], error_messages={"invalid": lazy("Such as 03:30.")}
    )

    @property
    def agents(self) -> tuple[str, ...]:
        """Agents that were ticked; none means all."""
        names = self.data.getlist("agent") if isinstance(self.data, QueryDict) else []
        return tuple(dict.fromkeys(str(name)[:300] for name in names))

    def wish(self, limit: frozenset[str] | None) -> ScheduleWish:
        """What a valid form asks for; ``limit`` is the scope of whoever asks."""
        read = self.cleaned_data
        agents = self.agents or (None if limit is None else tuple(sorted(limit)))
        return ScheduleWish(
            agents=agents or None,
            every=read["every"],
            weekday=read.get("weekday") or 0,
            hour=read["at"].hour,
            minute=read["at"].minute,
        )


class ItemFilters(Filters):
    """One field per parameter of the address of a plan."""

    q = forms.CharField(required=False, max_length=200, label=lazy("Text"))
    action = Several(
        required=False,
        choices=[(one, one) for one in (*ACTIONS, EXCLUDED)],
        label=lazy("What becomes of it"),
    )
    rule = Several(required=False, label=lazy("Rule"))
    kind = Several(
        required=False, choices=[(one, one) for one in KIND_WORDS], label=lazy("What it is")
    )
    outcome = Several(
        required=False, choices=[(one, one) for one in OUTCOMES], label=lazy("Outcome")
    )
    page = Page()

    def __init__(self, query: QueryDict) -> None:
        super().__init__(query, auto_id="filter-%s")
        self._query = query

    def wanted(self) -> WantedItems:
        """What is asked for, with everything that is not valid left out."""
        self.is_valid()
        read = self.cleaned_data
        return WantedItems(
            actions=frozenset(read.get("action") or ()),
            rules=frozenset(read.get("rule") or ()),
            kinds=frozenset(read.get("kind") or ()),
            outcomes=frozenset(read.get("outcome") or ()),
            text=read.get("q") or "",
            page=read.get("page") or 1,
        )

    def asked(self) -> list[tuple[str, str]]:
        """What the address says that is valid here, in its order."""
        return [
            (name, value)
            for name, values in self._query.lists()
            for value in values
            if name in self.fields and name not in self.errors and value
        ]


class PolicyForm(forms.Form):
    """A policy: every field is off where it is empty."""

    slim_fields = Several(required=False, choices=[(one, one) for one in REBUILDABLE])
    unpin_failover = forms.BooleanField(required=False)
    protect = forms.CharField(required=False, max_length=4000)
    protect_kinds = Several(required=False, choices=[(one, one) for one in SESSION_KINDS])

    def __init__(self, data: QueryDict | None = None, *, initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        for name, (_kind, label, note) in VALUES.items():
            self.fields[name] = forms.CharField(
                required=False, max_length=40, label=str(label), help_text=str(note)
            )

    def clean(self) -> dict[str, Any]:
        """Turn what was written into values."""
        read = self.cleaned_data
        for name in VALUES:
            text = str(read.get(name) or "").strip()
            try:
                read[name] = read_value(name, text) if text else None
            except ValueError as error:
                self.add_error(name, str(error))
        if read.get("high_water_bytes") and not read.get("max_disk_bytes"):
            self.add_error("high_water_bytes", _("Say the disk budget too, or leave this empty."))
        return read

    def policy(self) -> MaintenancePolicy:
        """The policy of a valid form."""
        read = self.cleaned_data
        lines = [line.strip() for line in read["protect"].splitlines()]
        return MaintenancePolicy(
            **{name: read[name] for name in VALUES},
            slim_fields=tuple(read["slim_fields"]),
            unpin_failover=read["unpin_failover"],
            protect=tuple(dict.fromkeys(line for line in lines if line)),
            protect_kinds=tuple(read["protect_kinds"]),
        )


class ExcludeForm(forms.Form):
    """Items to leave out of a plan or to put back: those that are ticked, or all that match."""

    do = forms.ChoiceField(choices=[("leave-out", ""), ("put-back", "")])
    which = forms.ChoiceField(required=False, choices=[("", ""), ("matching", "")])
    list = forms.CharField(required=False, max_length=4000)

    @property
    def numbers(self) -> Sequence[int]:
        """The ticked items."""
        return numbers_in(self.data)

    def wanted(self) -> WantedItems | None:
        """What matches, as the address of the page said it; None where items are ticked."""
        if not self.cleaned_data["which"]:
            return None
        return ItemFilters(QueryDict(self.cleaned_data["list"])).wanted()


class ApplyForm(forms.Form):
    """The go-ahead: the plan that was seen, why, and for a deletion how many."""

    digest = forms.RegexField(r"\A[0-9a-f]{64}\Z", max_length=64)
    reason = ReasonField()
    count = forms.CharField(required=False, max_length=20)

    def __init__(self, data: QueryDict | None = None, *, deleting: int = 0) -> None:
        super().__init__(data)
        self._deleting = deleting

    def clean_count(self) -> str:
        """Compare the typed number with how many items would be deleted."""
        typed = str(self.cleaned_data["count"])
        digits = typed.replace(",", "").replace(".", "").replace(" ", "")
        if self._deleting and digits != str(self._deleting):
            raise forms.ValidationError(
                _("Type %s, which is how many items would be deleted.") % self._deleting
            )
        return typed


class TakeBackForm(forms.Form):
    """Taking a run back: why, and all of it or the items that are ticked."""

    reason = ReasonField()
    which = forms.ChoiceField(choices=[("all", ""), ("ticked", "")])

    @property
    def numbers(self) -> Sequence[int] | None:
        """The ticked items; None for all."""
        return None if self.cleaned_data["which"] == "all" else numbers_in(self.data)


def numbers_in(data: Any) -> Sequence[int]:
    """The numbers of ticked items, each once; a page has a hundred."""
    sent = data.getlist("item") if isinstance(data, QueryDict) else []
    return [int(one) for one in dict.fromkeys(sent) if one.isdecimal() and len(one) < 10][:1000]
