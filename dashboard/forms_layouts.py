"""What may stand in the address of a comparison of layouts."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as lazy

from .services.compare_layouts import OUTCOME_WORDS, WantedLayouts


class LayoutFilters(forms.Form):
    """One field per parameter; what is not valid is left out."""

    q = forms.CharField(required=False, max_length=200, label=lazy("Session"))
    outcome = forms.ChoiceField(
        required=False,
        choices=[("", lazy("Any")), *((name, word) for name, (word, _) in OUTCOME_WORDS.items())],
        label=lazy("Outcome"),
    )
    page = forms.IntegerField(required=False, min_value=1, max_value=1_000_000)

    def wanted(self) -> WantedLayouts:
        """What is asked for."""
        self.is_valid()
        read = self.cleaned_data
        return WantedLayouts(
            outcome=read.get("outcome") or "",
            text=(read.get("q") or "").strip(),
            page=read.get("page") or 1,
        )
