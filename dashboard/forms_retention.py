"""What policies of retention and schedules of backups send."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as lazy

from .forms_backups import STORE_ID, listed_in
from .models.backups import DAILY, WEEKLY
from .services.retention_pages import POLICY_FIELDS, RetentionPolicy
from .services.schedule_changes import ScheduleWish

_MOST = 10_000
_DAY_S = 86_400.0


class PolicyForm(forms.Form):
    """How many backups stay. Empty numbers keep none by that rule; all empty is refused."""

    keep_last = forms.IntegerField(required=False, min_value=0, max_value=_MOST)
    hourly = forms.IntegerField(required=False, min_value=0, max_value=_MOST)
    daily = forms.IntegerField(required=False, min_value=0, max_value=_MOST)
    weekly = forms.IntegerField(required=False, min_value=0, max_value=_MOST)
    monthly = forms.IntegerField(required=False, min_value=0, max_value=_MOST)
    within_days = forms.IntegerField(required=False, min_value=0, max_value=_MOST)

    @property
    def stores(self) -> tuple[str, ...]:
        """Stores that it is for; none means all."""
        return listed_in(self.data, "store", STORE_ID)

    @property
    def is_asked(self) -> bool:
        """Whether the address names a policy at all."""
        return any(name in self.data for name in (*POLICY_FIELDS, "within_days"))

    def policy(self) -> RetentionPolicy:
        """The policy of a valid form; it may be empty, which is for the library to refuse."""
        read = self.cleaned_data
        return RetentionPolicy(
            **{name: read.get(name) or 0 for name in POLICY_FIELDS},
            within_s=(read.get("within_days") or 0) * _DAY_S,
        )


class ScheduleForm(PolicyForm):
    """A backup that is taken by itself. The policy may be empty: then nothing is pruned."""

    every = forms.ChoiceField(choices=[(DAILY, lazy("every day")), (WEEKLY, lazy("every week"))])
    weekday = forms.IntegerField(required=False, min_value=0, max_value=6)
    at = forms.TimeField(
        input_formats=["%H:%M"], error_messages={"invalid": lazy("Such as 03:30.")}
    )
    transcripts = forms.BooleanField(required=False)
    drill = forms.BooleanField(required=False)

    @property
    def agents(self) -> tuple[str, ...]:
        """Agents that were ticked; none means all."""
        names = self.data.getlist("agent") if isinstance(self.data, QueryDict) else []
        return tuple(dict.fromkeys(str(name)[:300] for name in names))

    def wish(self, limit: frozenset[str] | None) -> ScheduleWish:
        """What a valid form asks for; ``limit`` is the scope of whoever asks."""
        read, policy = self.cleaned_data, self.policy()
        agents = self.agents or (None if limit is None else tuple(sorted(limit)))
        return ScheduleWish(
            agents=agents or None,
            every=read["every"],
            weekday=read.get("weekday") or 0,
            hour=read["at"].hour,
            minute=read["at"].minute,
            transcripts=read["transcripts"],
            retention=policy if policy != RetentionPolicy() else None,
            drill=read["drill"],
        )
