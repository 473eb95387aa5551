"""What may stand in the address of the undo list, and what its forms send."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from .forms import PAGE_SIZES, Filters, MomentField
from .services.undo_choices import Answers
from .services.undo_list import OPEN, OVER, TAKEN_BACK, WantedChanges
from .services.undo_words import KNOWN_ACTIONS, action_word

USUAL_SIZE = 50
USUAL_WAIT_S = 2
WAITS_S = (USUAL_WAIT_S, 10, 20)
_LARGEST = 2**63 - 1
_LONGEST_REASON = 500
_CHOICE = "choice-"

STATES = (
    (OPEN, _("can be undone")),
    (TAKEN_BACK, _("undone")),
    (OVER, _("past its time, or without its store")),
)


class ChangeFilters(Filters):
    """One field per parameter of the list's address."""

    q = forms.CharField(required=False, max_length=200, label=_("Session"))
    person = forms.CharField(required=False, max_length=150, label=_("Person"))
    action = forms.ChoiceField(required=False, label=_("Action"))
    state = forms.ChoiceField(required=False, choices=[("", _("Any")), *STATES], label=_("Undo"))
    job = forms.IntegerField(required=False, min_value=1, max_value=_LARGEST, label=_("Job"))
    after = MomentField(required=False, max_length=40, label=_("After"))
    before = MomentField(required=False, max_length=40, label=_("Before"))
    page = forms.IntegerField(required=False, min_value=1, max_value=10_000_000, label=_("Page"))
    per = forms.TypedChoiceField(
        required=False,
        coerce=int,
        choices=[(n, str(n)) for n in PAGE_SIZES],
        label=_("Rows per page"),
    )

    def __init__(self, query: QueryDict, *, zone: ZoneInfo) -> None:
        super().__init__(query, auto_id="filter-%s")
        for name in ("after", "before"):
            field = self.fields[name]
            assert isinstance(field, MomentField)
            field.zone = zone
        action = self.fields["action"]
        assert isinstance(action, forms.ChoiceField)
        action.choices = [("", _("Any")), *((name, action_word(name)) for name in KNOWN_ACTIONS)]

    def wanted(self) -> WantedChanges:
        """What is asked for, with everything that is not valid left out."""
        self.is_valid()
        read = self.cleaned_data
        return WantedChanges(
            person=read.get("person") or "",
            action=read.get("action") or "",
            text=read.get("q") or "",
            state=read.get("state") or "",
            job=read.get("job"),
            after_ms=read.get("after"),
            before_ms=read.get("before"),
            page=read.get("page"),
            per=read.get("per") or USUAL_SIZE,
        )


class UndoForm(forms.Form):
    """Taking one change back: why, how long to wait, and what was chosen for which values."""

    wait = forms.TypedChoiceField(
        required=False, coerce=int, choices=[(wait, str(wait)) for wait in WAITS_S]
    )
    seen = forms.CharField(required=False, max_length=200_000)
    remove = forms.BooleanField(required=False)
    later = forms.BooleanField(required=False)

    def read(self) -> dict[str, object]:
        """What was sent, with everything that is not valid left out."""
        self.is_valid()
        return self.cleaned_data if self.is_bound else {}

    @property
    def reason_text(self) -> str:
        """Why, as it was typed; empty for none."""
        return str(self.data.get("reason", "")).replace("\0", "").strip()[:_LONGEST_REASON]

    @property
    def wait_s(self) -> int:
        """How many seconds to wait for the lock."""
        wait = self.read().get("wait")
        return wait if isinstance(wait, int) else USUAL_WAIT_S

    @property
    def picked(self) -> dict[str, str]:
        """What was chosen, by the ids of the fields."""
        return {
            name.removeprefix(_CHOICE): str(value)
            for name, value in self.data.items()
            if name.startswith(_CHOICE)
        }

    def answers(self) -> Answers:
        """The choices, and for which values they were made."""
        read = self.read()
        return Answers(self.picked, str(read.get("seen") or ""), read.get("remove") is True)
