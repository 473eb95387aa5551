"""Dangerous changes ask for the password again when the sign-in is older than ten minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard import tokens
from dashboard.models import ApiToken, AuditEvent, Invite, SignIn
from dashboard.people.changes import account_stamp
from tests.conftest import PASSWORD, client_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def old_client(admin_client: Client, settings: Any) -> Client:
    """An admin who signed in eleven minutes ago and has been at work since."""
    settings.SSO_HEADER = "X-Auth-User"
    SignIn.objects.update(confirmed_at=timezone.now() - timedelta(minutes=11))
    return admin_client


def dangerous(carol: User) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every change of this kind, as address and form."""
    stamp = account_stamp(carol)
    tokens.issue(carol, name="t", role="viewer")
    person = f"/people/{carol.pk}"
    new = {"username": "erin", "role": "viewer", "reach": "all", "start": "invite"}
    return {
        "new": ("/people/new/", new),
        "access": (f"{person}/access/", {"role": "admin", "reach": "all", "stamp": stamp}),
        "active": (f"{person}/active/", {"active": "no", "stamp": stamp}),
        "delete": (f"{person}/delete/", {"stamp": stamp}),
        "invite": (f"{person}/invite/", {}),
        "sso": (f"{person}/sso/", {"name": "carol@corp"}),
        "token": ("/tokens/new/", {"name": "t", "role": "admin", "days": "9"}),
        "rotate": (f"/tokens/{ApiToken.objects.get().pk}/rotate/", {}),
    }


KINDS = ["new", "access", "active", "delete", "invite", "sso", "token", "rotate"]


def everything() -> list[Any]:
    models = (User, ApiToken, Invite, AuditEvent)
    return [sorted(model._default_manager.values_list(), key=str) for model in models]


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_sign_in_is_asked_for_the_password(
    old_client: Client, carol: User, kind: str
) -> None:
    address, form = dangerous(carol)[kind]
    before = everything()
    answer = old_client.post(address, form)
    assert answer.status_code == 422
    assert "Type your password to confirm" in answer.text
    assert 'name="confirm_password"' in answer.text
    assert everything() == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_password_confirms_and_holds_for_the_next_change(
    old_client: Client, carol: User, kind: str
) -> None:
    address, form = dangerous(carol)[kind]
    answer = old_client.post(address, form | {"confirm_password": PASSWORD})
    assert answer.status_code in (200, 302)
    assert AuditEvent.objects.filter(action="confirm", actor="alice").count() == 1
    assert timezone.now() - SignIn.objects.get().confirmed_at < timedelta(seconds=5)
    assert 'name="confirm_password"' not in old_client.get("/people/new/").text


def test_a_wrong_password_changes_nothing_and_is_counted(old_client: Client, carol: User) -> None:
    form = {"stamp": account_stamp(carol), "confirm_password": "wrong"}
    answers = [old_client.post(f"/people/{carol.pk}/delete/", form).status_code for _ in range(6)]
    assert answers[0] == 422
    assert answers[-1] in (422, 429)
    assert User.objects.filter(username="carol").exists()
    right = old_client.post(f"/people/{carol.pk}/delete/", form | {"confirm_password": PASSWORD})
    assert "Wait" in right.text
    assert User.objects.filter(username="carol").exists()
    assert AuditEvent.objects.filter(action="login", outcome="failed", target="alice").exists()


def test_the_password_of_somebody_else_does_not_confirm(old_client: Client, carol: User) -> None:
    carol.set_password("the password of carol")
    carol.save()
    form = {"stamp": account_stamp(carol), "confirm_password": "the password of carol"}
    assert old_client.post(f"/people/{carol.pk}/delete/", form).status_code == 422


def test_a_fresh_sign_in_is_not_asked(admin_client: Client, carol: User) -> None:
    assert 'name="confirm_password"' not in admin_client.get(f"/people/{carol.pk}/").text
    assert admin_client.post(f"/people/{carol.pk}/invite/").status_code == 200


def test_each_sign_in_is_confirmed_for_itself(old_client: Client, alice: User, carol: User) -> None:
    client_for(alice)
    assert old_client.post(f"/people/{carol.pk}/invite/").status_code == 422


def test_the_limit_is_a_setting(old_client: Client, carol: User, settings: Any) -> None:
    settings.RECENT_MINUTES = 12
    assert old_client.post(f"/people/{carol.pk}/invite/").status_code == 200


def test_what_was_typed_is_kept_but_for_passwords(old_client: Client) -> None:
    form = {
        "username": "erin",
        "role": "operator",
        "reach": "some",
        "more_agents": "later",
        "start": "password",
        "password1": "a password of erin's",
        "password2": "a password of erin's",
        "confirm_password": "wrong",
    }
    page = old_client.post("/people/new/", form).text
    assert 'value="erin"' in page
    assert "later</textarea>" in page
    assert "a password of erin" not in page
    assert 'value="wrong"' not in page


def test_somebody_without_a_password_is_told_to_sign_in_again(
    old_client: Client, alice: User, carol: User, make_old: Callable[[User], Client]
) -> None:
    alice.set_unusable_password()
    alice.save()
    client = make_old(alice)
    answer = client.post(f"/people/{carol.pk}/invite/", {"confirm_password": "!"})
    assert answer.status_code == 422
    assert "Sign out and in again" in answer.text


@pytest.fixture
def make_old() -> Callable[[User], Client]:
    """Return a function that signs somebody in eleven minutes ago."""

    def make(user: User) -> Client:
        client = client_for(user)
        SignIn.objects.update(confirmed_at=timezone.now() - timedelta(minutes=11))
        return client

    return make
