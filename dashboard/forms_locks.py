"""What may stand in the address of the list of locks, and what clearing one asks for."""

from __future__ import annotations

import re

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from .forms_migration import ReasonField
from .services.locks_list import SORTS, WantedLocks
from .services.locks_words import KINDS, VERDICTS

_STORE = re.compile(r"[0-9a-f]{12}")


class LockFilters(forms.Form):
    """One field per parameter; what is not valid is left out."""

    store = forms.RegexField(_STORE, required=False, max_length=12, label=lazy("Store"))
    verdict = forms.ChoiceField(
        required=False,
        choices=[("", lazy("Any")), *((name, word) for name, (word, _state) in VERDICTS.items())],
        label=lazy("Verdict"),
    )
    kind = forms.ChoiceField(
        required=False, choices=[("", lazy("Any")), *KINDS.items()], label=lazy("Kind")
    )
    waiters = forms.ChoiceField(
        required=False,
        choices=[("", lazy("Any")), ("yes", lazy("Only with waiters"))],
        label=lazy("Waiters"),
    )
    sort = forms.ChoiceField(
        required=False,
        choices=[(sign + name, name) for name in SORTS for sign in ("", "-")],
        label=lazy("Sort by"),
    )
    live = forms.ChoiceField(required=False, choices=[("", "on"), ("off", "off")])
    page = forms.IntegerField(required=False, min_value=1, max_value=10_000)

    def wanted(self) -> WantedLocks:
        """What is asked for."""
        self.is_valid()
        read = self.cleaned_data
        return WantedLocks(
            store=read.get("store") or "",
            verdict=read.get("verdict") or "",
            kind=read.get("kind") or "",
            waited_for=read.get("waiters") == "yes",
            order=read.get("sort") or "-held",
            page=read.get("page") or 1,
        )


class ClearForm(forms.Form):
    """Clearing a lock file whose owner is proven gone."""

    reason = ReasonField()
    understood = forms.BooleanField(required=False)

    def __init__(self, query: QueryDict | None = None, *, must_understand: bool = False) -> None:
        super().__init__(query)
        self.must_understand = must_understand

    def clean_understood(self) -> bool:
        understood = bool(self.cleaned_data["understood"])
        if self.must_understand and not understood:
            raise forms.ValidationError(_("Say that you have read what could go wrong."))
        return understood
