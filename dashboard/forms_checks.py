"""What the pages of checks take: limits of a rule, and acknowledgements."""

from __future__ import annotations

import math

from django import forms
from django.utils.translation import gettext_lazy as lazy

from .services.threshold_changes import LimitsRefusedError, typed_limits
from .services.threshold_words import typed
from .services.thresholds import Limits, Rule

HOURS = (
    (1, lazy("one hour")),
    (8, lazy("eight hours")),
    (24, lazy("one day")),
    (72, lazy("three days")),
    (168, lazy("a week")),
    (720, lazy("thirty days")),
)


class LimitsForm(forms.Form):
    """Limits as they are typed, in the units of the rule."""

    watch = forms.FloatField(required=False)
    bad = forms.FloatField(required=False)

    def read(self, rule: Rule) -> Limits | None:
        """The limits in base units; None where something is wrong, which is at its field."""
        if not self.is_valid():
            return None
        watch, bad = self.cleaned_data["watch"], self.cleaned_data["bad"]
        for name, value in (("watch", watch), ("bad", bad)):
            if value is not None and not math.isfinite(value):
                self.add_error(name, str(lazy("Type a number.")))
                return None
        try:
            return typed_limits(rule, watch, bad)
        except LimitsRefusedError as error:
            self.add_error(error.field, str(error))
            return None

    @classmethod
    def showing(cls, rule: Rule, limits: Limits) -> LimitsForm:
        """A form that shows limits."""
        return cls(
            initial={
                "watch": typed(rule.unit, limits.watch),
                "bad": typed(rule.unit_of_bad, limits.bad),
            }
        )


class AcknowledgeForm(forms.Form):
    """Why somebody knows of a check, and for how long that counts."""

    note = forms.CharField(
        max_length=500,
        error_messages={"required": lazy("Write what is known or being done.")},
    )
    hours = forms.TypedChoiceField(coerce=int, choices=HOURS)
