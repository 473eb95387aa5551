"""What the forms of bulk actions send: which sessions, what to do with them, and the go-ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from .forms import Several
from .services.bulk_fields import OFFERED, value_of
from .services.bulk_selection import malformed
from .services.bulk_words import BULK_ACTIONS, ORIGIN_WORDS

WITHOUT_PARAMS = frozenset({"archive", "unarchive", "delete"})
"""Actions that need to be told nothing more."""


class Rows(Several):
    """Ids of rows. How many there may be is for the selection to say."""

    def clean(self, value: Any) -> list[str]:
        return [str(row)[:100] for row in value or ()]


class PickForm(forms.Form):
    """The form around the session list: its ticked rows, or everything that it matches."""

    row = Rows(required=False)
    which = forms.ChoiceField(required=False, choices=[("", ""), ("matching", "")])
    list = forms.CharField(required=False, max_length=4_000)
    store = forms.RegexField(r"[0-9a-f]{12}", required=False)

    def __init__(self, sent: QueryDict) -> None:
        """Read what was sent.

        Raises:
            ProblemError: it is not what the list's form sends. Leaving out what cannot be read
                could make the selection larger than the list that was looked at.
        """
        super().__init__(sent)
        if not self.is_valid():
            raise malformed()

    @property
    def rows(self) -> Sequence[str]:
        """Ids of the ticked rows."""
        found: Sequence[str] = self.cleaned_data["row"]
        return found

    @property
    def is_all(self) -> bool:
        """Whether everything that matches is meant."""
        return bool(self.cleaned_data["which"])

    @property
    def store_id(self) -> str | None:
        """The store whose list it is; None for that of all stores."""
        return self.cleaned_data["store"] or None

    def query(self) -> QueryDict:
        """What the list was asked, as its address said it."""
        return QueryDict(self.cleaned_data["list"])


class ActionForm(forms.Form):
    """One action and what it has to be told. Fields of other actions are left alone."""

    action = forms.ChoiceField(choices=[(name, name) for name in BULK_ACTIONS])
    origin = forms.ChoiceField(required=False, choices=list(ORIGIN_WORDS.items()))
    name = forms.ChoiceField(
        required=False, choices=[("", ""), *((name, name) for name in OFFERED)], label=lazy("Field")
    )
    value = forms.CharField(required=False, max_length=10_000, strip=False, label=lazy("New value"))

    def clean(self) -> dict[str, Any]:
        """Ask for what the action needs, and turn the value's text into the value."""
        read = self.cleaned_data
        action, name = read.get("action", ""), read.get("name", "")
        if action in ("set_field", "clear_field") and not name and "name" not in self.errors:
            self.add_error("name", _("Choose the field."))
        if action == "set_field" and name:
            try:
                read["value"] = value_of(name, read.get("value") or "")
            except ValueError as error:
                self.add_error("value", str(error))
        return read

    def params(self) -> dict[str, Any]:
        """What :func:`dashboard.services.changing.act` is told."""
        read = self.cleaned_data
        action = read["action"]
        if action == "clear_overrides":
            return {"origin": read["origin"] or "any"}
        if action == "set_field":
            return {"name": read["name"], "value": read["value"]}
        return {"name": read["name"]} if action == "clear_field" else {}


class ApplyForm(forms.Form):
    """The go-ahead: the plan that was seen, why, and for a deletion how many."""

    digest = forms.CharField(max_length=64)
    reason = forms.CharField(
        max_length=500,
        label=lazy("Reason"),
        error_messages={"required": lazy("Say why: the reason is kept in the audit.")},
    )
    count = forms.CharField(required=False, max_length=20, label=lazy("How many"))

    def __init__(self, *args: Any, expected: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_count(self) -> str:
        """Compare the typed number with how many would be deleted."""
        typed: str = self.cleaned_data["count"]
        digits = typed.replace(",", "").replace(".", "").replace(" ", "")
        if self.expected is not None and digits != str(self.expected):
            raise forms.ValidationError(
                _("Type %s, which is how many sessions would be deleted.") % self.expected
            )
        return typed
