"""Deny by default: every address, every role; read-only mode; sessions that end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone

from dashboard import roles
from dashboard import urls as console_urls
from dashboard.models import AuditEvent, SignIn
from tests.conftest import PASSWORD, MakeUser, client_for
from tests.dashboard.persons import Person
from tests.dashboard.url_map import OPEN_NAMES, Address, all_addresses

pytestmark = pytest.mark.django_db


def by_path(address: Address) -> str:
    return address.path


every_address = pytest.mark.parametrize("address", all_addresses(), ids=by_path)


# --- Every address -------------------------------------------------------------------------------


@every_address
def test_every_view_declares_its_role(address: Address) -> None:
    expected = {roles.ANYONE} if address.name in OPEN_NAMES else {*roles.ROLES, roles.SIGNED_IN}
    assert address.declared in expected


@every_address
@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete", "options"])
def test_strangers_get_nothing_but_the_login(client: Client, address: Address, method: str) -> None:
    response = getattr(client, method)(address.path)
    if address.name in OPEN_NAMES:
        assert response.status_code != 500
    elif address.wants_token:
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Bearer")
    else:
        assert response.status_code == 302
        assert response["Location"].startswith("/login/")


@every_address
def test_get_changes_no_row(alice: User, watched_demo: Path, address: Address) -> None:
    person = Person(alice)
    person.ask(address, "GET", address.path)  # the first use of a token is written down
    before = all_rows(but=written_by(address))
    person.ask(address, "GET", address.path)
    assert all_rows(but=written_by(address)) == before


def written_by(address: Address) -> frozenset[str]:
    """Rows that reading an address writes on purpose: its record, or how often it was asked."""
    if address.name in {"audit_json", "audit_csv"}:
        return frozenset({"AuditEvent", "AuditHead"})
    return frozenset({"ApiUse"}) if address.wants_token else frozenset()


def all_rows(*, but: frozenset[str]) -> dict[str, list[Any]]:
    return {
        model._meta.label: sorted(model._default_manager.values_list(), key=str)
        for model in apps.get_models()
        if model.__name__ not in but
    }


def undeclared(request: HttpRequest) -> HttpResponse:
    return HttpResponse("open")


class UrlsWithUndeclaredView:
    urlpatterns = [*console_urls.urlpatterns, path("undeclared", undeclared)]
    handler403 = console_urls.handler403


def test_a_view_without_a_declaration_is_closed_to_all(
    client: Client, admin_client: Client, settings: Any
) -> None:
    settings.ROOT_URLCONF = UrlsWithUndeclaredView
    assert client.get("/undeclared").status_code == 302
    assert admin_client.get("/undeclared").status_code == 403


# --- Roles ---------------------------------------------------------------------------------------


def test_roles_include_those_below() -> None:
    pairs = itertools.product(roles.ROLES, repeat=2)
    allowed = [(have, ask) for have, ask in pairs if roles.includes(have, ask)]
    assert allowed == [
        ("viewer", "viewer"),
        ("operator", "viewer"),
        ("operator", "operator"),
        ("admin", "viewer"),
        ("admin", "operator"),
        ("admin", "admin"),
    ]
    assert not roles.includes(None, "viewer")


def test_role_of_takes_the_highest_and_ignores_the_inactive(make_user: MakeUser) -> None:
    dave = make_user("dave", "viewer")
    assert roles.role_of(dave) == "viewer"
    roles.assign_role(dave, "admin")
    assert roles.role_of(dave) == "admin"
    assert dave.groups.count() == 1
    dave.is_active = False
    assert roles.role_of(dave) is None


def test_superusers_are_admins(db: None) -> None:
    assert roles.role_of(User.objects.create_superuser("root")) == "admin"


def test_role_required_refuses_unknown_roles() -> None:
    with pytest.raises(ValueError, match="owner"):
        roles.role_required("owner")  # type: ignore[arg-type]


def test_refusals_name_both_roles(make_user: MakeUser, settings: Any) -> None:
    settings.ROOT_URLCONF = UrlsForAdmins
    page = client_for(make_user("dave", "viewer")).get("/admins").text
    assert "Your role is viewer" in page
    assert "asks for the role admin" in page


class UrlsForAdmins:
    urlpatterns = [
        *console_urls.urlpatterns,
        path("admins", roles.role_required("admin")(lambda request: HttpResponse("in"))),
    ]
    handler403 = console_urls.handler403


# --- Partial pages -------------------------------------------------------------------------------


def test_a_part_of_a_page_sends_the_whole_page_to_the_login(client: Client) -> None:
    shown = "http://testserver/sessions/?q=x"
    response = client.get("/account/", headers={"HX-Request": "true", "HX-Current-URL": shown})
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/login/?next=/sessions/%3Fq%3Dx"


def test_the_page_shown_must_be_ours_to_be_returned_to(client: Client) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://elsewhere.example/x"}
    assert client.get("/account/", headers=headers)["HX-Redirect"] == "/login/?next=/"


# --- Read-only mode ------------------------------------------------------------------------------


#: What is no change of anything that others see, takes rights away, or is signing in and out.
POSTS_WHEN_READ_ONLY = frozenset(
    {
        *("login", "sso_login", "logout", "csp-report", "preferences"),
        *("sign_in_end", "sign_ins_end_others", "user_sign_ins_end", "token_revoke"),
        *("audit_verify", "reveal", "selected", "plan_whole_entries"),
        *("incident_bundle", "session_transcript", "api_transcript_read"),
    }
)


@every_address
def test_read_only_refuses_every_change(alice: User, settings: Any, address: Address) -> None:
    settings.READ_ONLY = True
    response = Person(alice).ask(address, "POST", address.path)
    if address.works_when_read_only:
        assert address.name in POSTS_WHEN_READ_ONLY
        assert "SESSIONSTORE_READ_ONLY" not in response.text
    else:
        assert response.status_code == 403
        assert "SESSIONSTORE_READ_ONLY" in response.text


def test_read_only_lets_people_sign_in_and_out(client: Client, carol: User, settings: Any) -> None:
    settings.READ_ONLY = True
    credentials = {"username": "carol", "password": PASSWORD}
    assert client.post("/login/", credentials).status_code == 302
    assert client.post("/logout/").status_code == 302


# --- Sessions end --------------------------------------------------------------------------------


@pytest.fixture
def moved_back(viewer_client: Client) -> Callable[..., Client]:
    """Return a function that makes the viewer's sign-in older, and gives its client."""

    def move(**ago: timedelta) -> Client:
        SignIn.objects.update(**{name: timezone.now() - length for name, length in ago.items()})
        return viewer_client

    return move


def test_session_ends_when_it_is_not_used(moved_back: Callable[..., Client]) -> None:
    client = moved_back(seen_at=timedelta(minutes=30, seconds=5))
    assert client.get("/account/")["Location"] == "/login/?next=/account/"
    assert "was not used for a while" in client.get("/login/").text
    assert AuditEvent.objects.get(action="session.end").actor == "carol"
    assert "was not used" in SignIn.objects.get().ended_because


def test_session_ends_after_its_lifetime_however_busy(moved_back: Callable[..., Client]) -> None:
    client = moved_back(created_at=timedelta(hours=8, seconds=5))
    assert client.get("/account/").status_code == 302
    assert "longest lifetime" in AuditEvent.objects.get(action="session.end").reason


def test_use_keeps_a_session_alive(moved_back: Callable[..., Client]) -> None:
    client = moved_back(seen_at=timedelta(minutes=29))
    assert client.get("/account/").status_code == 200
    assert timezone.now() - SignIn.objects.get().seen_at < timedelta(seconds=5)


def test_a_page_refreshing_itself_is_not_use(moved_back: Callable[..., Client]) -> None:
    client = moved_back(seen_at=timedelta(minutes=29))
    client.get("/account/", headers={"X-Live": "1"})
    assert timezone.now() - SignIn.objects.get().seen_at > timedelta(minutes=28)


def test_a_session_without_a_sign_in_is_ended(viewer_client: Client) -> None:
    SignIn.objects.all().delete()
    assert viewer_client.get("/account/").status_code == 302


def test_removed_or_disabled_people_are_out_at_once(viewer_client: Client, carol: User) -> None:
    carol.is_active = False
    carol.save()
    assert viewer_client.get("/account/").status_code == 302


def test_requests_in_quick_succession_write_nothing(viewer_client: Client) -> None:
    before = list(Session.objects.values_list()), list(SignIn.objects.values_list())
    viewer_client.get("/account/")
    assert (list(Session.objects.values_list()), list(SignIn.objects.values_list())) == before
