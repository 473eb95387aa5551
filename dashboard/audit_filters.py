"""What may stand in the address of the audit log, read into types with bounds."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from .addresses import parse_address
from .audit import OUTCOMES
from .forms import PAGE_SIZES, Filters, MomentField
from .models import AuditEvent

USUAL_SIZE = 50
_MOST_ACTIONS = 200
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What the log is asked for; an empty text asks for nothing in particular.

    Times are epoch milliseconds. ``below`` and ``above`` are the numbers between which the
    page lies, each left out where the page may begin or end anywhere; ``upto`` is the newest
    event that counts at all.
    """

    text: str = ""
    person: str = ""
    action: str = ""
    outcome: str = ""
    target: str = ""
    key: str = ""
    store: str = ""
    address: str = ""
    request_id: str = ""
    after_ms: int | None = None
    before_ms: int | None = None
    upto: int | None = None
    below: int | None = None
    above: int | None = None
    per: int = USUAL_SIZE


class AuditFilters(Filters):
    """One field per parameter of the log's address."""

    q = forms.CharField(required=False, max_length=200, label=_("Text"))
    person = forms.CharField(required=False, max_length=150, label=_("Person"))
    action = forms.CharField(required=False, max_length=60, label=_("Action"))
    outcome = forms.ChoiceField(
        required=False,
        choices=[("", _("Any")), *((word, word) for word in OUTCOMES)],
        label=_("Outcome"),
    )
    target = forms.CharField(required=False, max_length=500, label=_("Target"))
    key = forms.CharField(required=False, max_length=4200, label=_("Session key"))
    store = forms.CharField(required=False, max_length=300, label=_("Agent or store"))
    address = forms.CharField(required=False, max_length=45, label=_("Address"))
    request = forms.RegexField(
        r"\A[0-9A-Za-z_-]{1,32}\Z",
        required=False,
        label=_("Request id"),
        error_messages={"invalid": _("Write a request id as it stands in the log.")},
    )
    after = MomentField(required=False, max_length=40, label=_("After"))
    before = MomentField(required=False, max_length=40, label=_("Before"))
    upto = forms.IntegerField(
        required=False, min_value=1, max_value=LARGEST, label=_("Up to event number")
    )
    below = forms.IntegerField(required=False, min_value=1, max_value=LARGEST, label=_("Below"))
    above = forms.IntegerField(required=False, min_value=0, max_value=LARGEST, label=_("Above"))
    per = forms.TypedChoiceField(
        required=False,
        coerce=int,
        choices=[(n, str(n)) for n in PAGE_SIZES],
        label=_("Events per page"),
    )

    def __init__(self, query: QueryDict, *, zone: ZoneInfo) -> None:
        super().__init__(query, auto_id="filter-%s")
        for name in ("after", "before"):
            field = self.fields[name]
            assert isinstance(field, MomentField)
            field.zone = zone

    def clean_address(self) -> str:
        """The address in the form in which the log has it."""
        text: str = self.cleaned_data["address"]
        if not text:
            return ""
        address = parse_address(text)
        if address is None:
            raise forms.ValidationError(_("Write an address such as 192.0.2.7 or 2001:db8::1."))
        return str(address)

    def asked(self) -> Asked:
        """What is asked for, with everything that is not valid left out."""
        self.is_valid()
        read = self.cleaned_data
        return Asked(
            text=read.get("q") or "",
            person=read.get("person") or "",
            action=read.get("action") or "",
            outcome=read.get("outcome") or "",
            target=read.get("target") or "",
            key=read.get("key") or "",
            store=read.get("store") or "",
            address=read.get("address") or "",
            request_id=read.get("request") or "",
            after_ms=read.get("after"),
            before_ms=read.get("before"),
            upto=read.get("upto"),
            below=read.get("below"),
            above=None if read.get("below") else read.get("above"),
            per=read.get("per") or USUAL_SIZE,
        )


def actions() -> list[str]:
    """Every action that occurs, found by one step in its index each; at most 200."""
    found: list[str] = []
    every = AuditEvent.objects.order_by("action").values_list("action", flat=True)
    following = every.first()
    while isinstance(following, str) and len(found) < _MOST_ACTIONS:
        found.append(following)
        following = every.filter(action__gt=following).first()
    return found
