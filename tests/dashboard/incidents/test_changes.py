"""Changes that another site, a stranger or a rebound name asks for: refused on every address.

pgHero (CVE-2020-16253) let other sites kill queries, because its defence did nothing for one of
its ways to sign in; Flower (CVE-2022-30034) had none. Here there is one rule for all, and a new
address has it from the start.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import resolve

from dashboard import tokens
from dashboard.roles import assign_role
from tests.conftest import PASSWORD
from tests.dashboard.persons import Person
from tests.dashboard.test_access import all_rows
from tests.dashboard.url_map import all_addresses

pytestmark = pytest.mark.django_db

ADDRESSES = all_addresses()
#: Takes reports that browsers send by themselves, and changes nothing.
WITHOUT_TOKEN = frozenset({"csp-report"})
#: What the requests themselves leave behind: sign-ins of the tests, and counts of tries.
WRITTEN = frozenset({"Session", "ApiUse"})
REFUSED_FORM = "Its security token is missing or too old"
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def signed_in(user: User) -> Client:
    """A browser that is signed in and whose forms need their token."""
    client = Client(enforce_csrf_checks=True)
    client.cookies = Person(user).client.cookies
    return client


def test_a_form_without_its_token_changes_nothing(alice: User) -> None:
    client = signed_in(alice)
    before = all_rows(but=WRITTEN)
    for address, method in itertools.product(ADDRESSES, UNSAFE):
        answer = client.generic(method, address.path)
        said = f"{method} {address.name}: {answer.status_code}"
        if address.name in WITHOUT_TOKEN:
            assert answer.status_code in {204, 400, 405}, said
        elif address.wants_token:
            assert answer.status_code == 401, said
        else:
            assert (answer.status_code, REFUSED_FORM in answer.text) == (403, True), said
    assert all_rows(but=WRITTEN) == before


@pytest.mark.parametrize("site", ["cross-site", "same-site", "made-up"])
def test_a_change_that_another_site_asks_for_is_refused_with_every_token(
    site: str, alice: User
) -> None:
    person = Person(alice)
    before = all_rows(but=WRITTEN)
    for address in ADDRESSES:
        answer = person.ask(address, "POST", address.path, HTTP_SEC_FETCH_SITE=site)
        assert answer.status_code == 403, address.name
        assert "another site" in answer.text, address.name
    assert all_rows(but=WRITTEN) == before


def test_a_change_from_a_foreign_origin_is_refused(alice: User) -> None:
    client = signed_in(alice)
    client.get("/account/")
    token = client.cookies["sessionstore_csrf"].value
    headers = {"Origin": "https://elsewhere.example", "X-CSRFToken": token}
    for address in ADDRESSES:
        if address.name in WITHOUT_TOKEN | {"logout"} or address.wants_token:
            continue
        answer = client.post(address.path, headers=headers)
        assert (answer.status_code, REFUSED_FORM in answer.text) == (403, True), address.name


def test_nothing_else_is_exempt_from_the_token() -> None:
    exempt = {
        address.name
        for address in ADDRESSES
        if getattr(resolve(address.path).func, "csrf_exempt", False) and not address.wants_token
    }
    assert exempt == WITHOUT_TOKEN


@pytest.mark.parametrize(
    "host", ["rebound.example", "localhost.rebound.example", "127.0.0.1.rebound.example", "[::2]"]
)
def test_a_foreign_host_name_reaches_no_address(host: str, alice: User) -> None:
    person = Person(alice)
    for address, method in itertools.product(ADDRESSES, ("GET", "POST")):
        answer = person.ask(address, method, address.path, HTTP_HOST=host)
        assert answer.status_code == 400, address.name
        assert "sessionstore_session" not in answer.cookies


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_address_leads_elsewhere(method: str, alice: User) -> None:
    """OpenClaw (CVE-2026-25253) sent its token to an address that stood in a link."""
    names = ("next", "url", "return", "redirect", "gatewayUrl", "target", "to", "back", "host")
    person = Person(alice)
    for address in ADDRESSES:
        person = person.again()  # since signing out is an address too
        for value in (
            "https://elsewhere.example/x",
            "//elsewhere.example/x",
            "/\\elsewhere.example",
        ):
            query = "&".join(f"{name}={value}" for name in names)
            answer = person.ask(address, method, f"{address.path}?{query}")
            said = answer.headers.get("Location", "") + answer.headers.get("HX-Redirect", "")
            assert not said.startswith(("http", "//", "/\\")), address.name


def test_what_stands_in_a_form_leads_nowhere_else(client: Client, carol: User) -> None:
    form = {"username": "carol", "password": PASSWORD}
    for value in ("https://elsewhere.example/", "//elsewhere.example", "overview", "x", "\\\\x.y"):
        assert client.post("/login/", {**form, "next": value})["Location"] == "/"
        assert client.post("/preferences/", {"next": value})["Location"] == "/"


# --- Who asks is looked up here, for each request ------------------------------------------------


CLAIMS: list[dict[str, Any]] = [
    {"HTTP_X_ROLE": "admin"},
    {"HTTP_X_OPENCLAW_SCOPES": "operator.admin"},
    {"HTTP_X_REMOTE_USER": "alice"},
    {"HTTP_REMOTE_USER": "alice"},
    {"HTTP_X_FORWARDED_USER": "alice"},
    {"HTTP_X_FORWARDED_FOR": "127.0.0.1", "HTTP_X_REAL_IP": "::1"},
    {"HTTP_COOKIE": "role=admin; user=alice"},
    {"QUERY_STRING": "role=admin&scope=operator.admin&user=alice"},
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: next(iter(claim)))
def test_claims_of_the_caller_count_for_nothing(
    claim: dict[str, Any], viewer_client: Client, client: Client, alice: User
) -> None:
    assert viewer_client.get("/audit/", **claim).status_code in {302, 403}
    assert client.get("/audit/", **claim).status_code == 302
    assert client.get("/api/v1/stores", **claim).status_code == 401


def test_a_role_that_was_taken_away_is_gone_with_the_next_request(alice: User) -> None:
    person = Person(alice)
    assert person.client.get("/audit/").status_code == 200
    alice.groups.clear()
    assert person.client.get("/audit/").status_code == 403
    answer = person.client.get(
        "/api/v1/stores", headers={"Authorization": f"Bearer {person.token}"}
    )
    assert answer.status_code in {401, 403}


def test_a_token_has_no_more_than_its_owner_has_now(make_user: Any) -> None:
    dave = make_user("dave", "admin")
    token = tokens.issue(dave, name="t", role="operator")

    assign_role(dave, "viewer")
    headers = {"Authorization": f"Bearer {token}"}
    made_up = "/api/v1/stores/aaaaaaaaaaaa/sessions/aaaaaaaaaaaaaaaa/reset"
    assert Client().post(made_up, headers=headers).status_code == 403


def test_being_local_is_not_being_somebody(client: Client) -> None:
    """Loopback, also as IPv4 inside IPv6, gets the login like everybody else."""
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", ""):
        assert client.get("/", REMOTE_ADDR=address)["Location"].startswith("/login/")
