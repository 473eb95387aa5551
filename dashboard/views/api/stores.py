"""Stores and the lists of their sessions, for programs."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.utils.translation import gettext as _

from dashboard.api import shapes
from dashboard.api.answers import answer
from dashboard.api.checking import refuse
from dashboard.api.operations import Call, described, operation
from dashboard.api.parameters import AGENT, PAGING, SESSION_FILTERS, STORE_ORDER
from dashboard.forms import SessionFilters
from dashboard.services.problems import not_there
from dashboard.services.sessions import SessionList, list_sessions
from dashboard.services.stores import list_stores
from dashboard.services.tree import shown
from dashboard.services.vocabulary import Wanted
from dashboard.twins import iso

_UTC = ZoneInfo("UTC")


@operation(
    "listStores", "List the stores", answer="Stores", group="Stores", parameters=(STORE_ORDER,)
)
def list_all_stores(call: Call) -> HttpResponse:
    """Every store within the token's agents, those that cannot be opened among them."""
    order = call.query.get("sort", "agent")
    listed = list_stores(sort=order.lstrip("-"), descending=order.startswith("-"))
    return answer(
        {
            "read_at": iso(listed.read_at_ms),
            "problem": listed.problem.detail if listed.problem else None,
            "stores": [shapes.store(row) for row in listed.rows],
        }
    )


@operation("getStore", "Read a store", answer="Store", group="Stores", problems=("not_found",))
def one_store(call: Call, store_id: str) -> HttpResponse:
    """One store as the list has it."""
    for row in list_stores().rows:
        if row.id == store_id:
            return answer(shapes.store(row))
    raise not_there(
        _("There is no store with this id below the state directory any more."),
        _("List the stores and choose one that is there."),
    )


@operation(
    "listSessionsOfStore",
    "List the sessions of a store",
    answer="Sessions",
    group="Sessions",
    parameters=(*SESSION_FILTERS, *PAGING),
    problems=("not_found",),
)
def list_in_store(call: Call, store_id: str | None = None) -> HttpResponse:
    """One page of the sessions that match; a page beyond the last one is empty."""
    listed = list_sessions(_wanted(call), store_id=store_id)
    return answer(_page(listed))


list_everywhere = described(
    list_in_store,
    "listSessions",
    summary="List the sessions of all stores",
    parameters=(*SESSION_FILTERS, AGENT, *PAGING),
    problems=(),
)


def _wanted(call: Call) -> Wanted:
    form = SessionFilters(call.request.GET, zone=_UTC)
    wanted = form.wanted()
    refuse(
        {"in": "query", "field": shown(name), "message": " ".join(map(str, told))}
        for name, told in form.errors.items()
    )
    return wanted


def _page(listed: SessionList) -> dict[str, Any]:
    beyond = listed.asked_page
    return {
        "page": beyond or listed.page,
        "pages": listed.pages,
        "matched": listed.matched,
        "total": listed.total,
        "hidden_machine": listed.hidden_machine,
        "read_at": iso(listed.read_at_ms),
        "late_stores": [
            {"store_id": note.store_id, "name": note.name, "freshness": note.freshness.state}
            for note in listed.late
        ],
        "sessions": [] if beyond else [shapes.session_row(row) for row in listed.rows],
    }
