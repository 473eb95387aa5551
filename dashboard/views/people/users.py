"""The people who have an account: the list and its twins."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.people.listing import Person, list_people
from dashboard.roles import role_required

_HEADER = [
    *("id", "name", "role", "agents", "state", "last_sign_in", "signed_in", "tokens"),
    "sso_names",
]


@require_safe
@role_required("admin")
def users(request: HttpRequest) -> HttpResponseBase:
    """Show everybody who has an account."""
    return render(request, "people/users.html", {"people": list_people(timezone.now())})


@require_safe
@role_required("admin")
def users_json(request: HttpRequest) -> HttpResponseBase:
    """Give the same list as JSON."""
    rows = [dict(zip(_HEADER, _values(person), strict=True)) for person in _listed()]
    return twins.json_response("people", {"people": rows})


@require_safe
@role_required("admin")
def users_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same list as CSV."""
    return twins.csv_response("people", _HEADER, map(_flat, _listed()))


def _listed() -> tuple[Person, ...]:
    return list_people(timezone.now())


def _values(person: Person) -> list[Any]:
    return [
        person.id,
        person.name,
        person.role,
        None if person.agents is None else list(person.agents),
        person.state,
        None if person.last_login is None else person.last_login.isoformat(timespec="seconds"),
        person.sign_ins,
        person.tokens,
        list(person.sso_names),
    ]


def _flat(person: Person) -> list[Any]:
    values = _values(person)
    values[3] = "all" if person.agents is None else " ".join(person.agents)
    values[8] = " ".join(person.sso_names)
    return values
