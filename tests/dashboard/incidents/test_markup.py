"""Stored markup: CVE-2026-66418 of a peer was a failed sign-in's name that an admin's page ran.

Every text that somebody outside can choose is planted, every link is followed, every form is sent
with more of it: no element and no attribute ever comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.conftest import client_for
from tests.dashboard.incidents.conftest import Plant
from tests.dashboard.incidents.crawling import Crawl, Form, Page, Visit, route_of
from tests.dashboard.incidents.planting import name_people
from tests.dashboard.url_map import all_addresses

pytestmark = pytest.mark.django_db

#: Breaks out of text, of attributes in either quotes or none, of scripts, comments and templates.
MARKUP = [
    "<x-planted onclick=x()>",
    "\"><x-planted x-planted='1'>",
    "' x-planted='1' onmouseover='x()",
    "x x-planted=1",
    "</script></style></textarea></title><x-planted>",
    "--><x-planted>",
    "{{ 7|add:7 }}{% load x %}<x-planted>",
    "javascript:planted(1)",
    "&lt;x-planted&gt;&#60;x-planted&#62;",
]
#: What ends the walk, or asks for a wait that others would have to wait out.
NOT_SENT = frozenset({"logout", "login", "setup", "invite", "password", "sso_login"})
#: Pages for people who are not signed in, and what is no page.
NOT_READ = frozenset({"logout", "setup", "invite", "favicon", "metrics"})
_PARAMETERS = (
    *("q", "key", "sort", "page", "field", "person", "tab", "next", "cols", "after", "before"),
    *("over", "kind", "agent", "status", "flag", "request", "address", "action", "target", "row"),
)
_KEPT = frozenset({"csrfmiddlewaretoken", "confirm_password"})
_TYPED = frozenset({"text", "search", "textarea", "password", "url", "email", "number"})


def walk(client: Client, world_values: dict[str, object]) -> Iterator[Visit]:
    """Every page that there is a link to, and every route with real arguments."""
    starts = [address.at(world_values) for address in all_addresses() if not address.wants_token]
    previews = [f"{reverse(name)}?keep_last=1" for name in ("retention_json", "retention_csv")]
    return Crawl(client).visits([*starts, *previews])


def planted_in(page: Page) -> list[str]:
    """Elements, attributes and addresses that came of planted text."""
    found = []
    for tag, attributes in page.elements:
        odd = [name for name in attributes if name == "x-planted" or name.startswith("on")]
        runs = [v for v in attributes.values() if v.strip().lower().startswith("javascript:")]
        is_link = any(name in attributes for name in ("href", "src", "action", "formaction"))
        if tag == "x-planted" or odd or (runs and is_link and "value" not in attributes):
            found.append(f"<{tag} {attributes}>"[:200])
    return found


def check(visit: Visit) -> None:
    assert visit.status < 500, visit.address
    if visit.kind == "text/html":
        assert planted_in(visit.page) == [], visit.address
    else:
        assert visit.kind in {"application/json", "application/problem+json", "text/csv"} | {
            *("text/plain", "image/svg+xml", "application/x-ndjson", "application/jsonl", "")
        }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_planted_markup_is_text_wherever_links_lead(plant_texts: Plant, alice: User) -> None:
    world = plant_texts(MARKUP)
    name_people(alice, MARKUP)
    seen = set()
    for visit in walk(client_for(alice), world.values):
        check(visit)
        if visit.status in {200, 302, 405}:
            seen.add(visit.name)
    readable = {
        address.name
        for address in all_addresses()
        if not address.wants_token and address.name not in NOT_READ
    }
    assert readable - seen == set(), "no link or argument led to these pages"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_markup_that_forms_send_is_text_where_it_comes_back(
    plant_texts: Plant, alice: User
) -> None:
    world = plant_texts(MARKUP[:2])
    name_people(alice, MARKUP[:2])
    client = client_for(alice)
    forms: dict[tuple[str | None, ...], Form] = {}
    for visit in walk(client, world.values):
        if visit.kind == "text/html" and visit.status == 200:
            for form in visit.page.forms:
                forms.setdefault((route_of(form.path), *(f[0] for f in form.fields)), form)
    sent = [form for form in forms.values() if route_of(form.path) not in NOT_SENT]
    assert len(sent) > 20
    for form in sent:
        _send(client_for(alice), form)
    for visit in walk(client_for(alice), world.values):
        check(visit)


def _send(client: Client, form: Form) -> None:
    """Fill in what a person sees, then also what the page carries along."""
    send = client.post if form.method == "post" else client.get
    for filled in (_TYPED, _TYPED | {"hidden", "submit", "select", "radio", "checkbox"}):
        content = {
            name: " ".join(MARKUP[:3]) if kind in filled and name not in _KEPT else value
            for name, kind, value in form.fields
        }
        answer = send(form.action, content, follow=True)
        assert answer.status_code < 500, form.action
        if answer["Content-Type"].startswith("text/html"):
            page = Page(form.action)
            page.feed(answer.text)
            assert planted_in(page) == [], form.action
        # A download that nobody reads keeps its file open; close() would end the test's connection.
        for close in vars(answer)["_resource_closers"]:
            close()


def test_markup_in_an_address_is_text(plant_texts: Plant, alice: User) -> None:
    world = plant_texts(["harmless"])
    client, everything = client_for(alice), " ".join(MARKUP)
    for address in all_addresses():
        query = dict.fromkeys((*_PARAMETERS, everything), everything)
        answer = client.get(address.at(world.values), query)
        assert answer.status_code < 500, address.name
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            page = Page(address.path)
            page.feed(answer.text)
            assert planted_in(page) == [], address.name
