"""Signing in and out, the first admin, and one's own password."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from dashboard import accounts
from dashboard.hashers import SmallArgon2Hasher
from dashboard.models import AuditEvent, SetupToken
from dashboard.refusals import RefusedError
from dashboard.roles import role_of
from tests.conftest import PASSWORD, client_for

pytestmark = pytest.mark.django_db


def sign_in(client: Client, name: str, password: str, **extra: Any) -> Any:
    return client.post("/login/", {"username": name, "password": password}, **extra)


def test_login_signs_in_and_gives_the_session_a_new_id(client: Client, carol: User) -> None:
    client.get("/login/")
    client.cookies["sessionstore_session"] = "chosen-by-someone-else"
    response = sign_in(client, "carol", PASSWORD)
    assert (response.status_code, response["Location"]) == (302, "/")
    cookie = response.cookies["sessionstore_session"]
    assert cookie.value != "chosen-by-someone-else"
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    assert client.get("/account/").status_code == 200


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/account/", "/account/"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/\\elsewhere.example", "/"),
    ],
)
def test_login_returns_only_to_pages_of_its_own(
    client: Client, carol: User, target: str, expected: str
) -> None:
    response = client.post("/login/", {"username": "carol", "password": PASSWORD, "next": target})
    assert response["Location"] == expected


def test_login_answers_the_same_for_unknown_people(client: Client, carol: User) -> None:
    known = sign_in(client, "carol", "wrong")
    unknown = sign_in(client, "mallo", "wrong")
    assert known.status_code == unknown.status_code == 422

    def without_variable_parts(response: Any) -> list[str]:
        lines: list[str] = response.text.replace("carol", "X").replace("mallo", "X").splitlines()
        return [line for line in lines if "csrf" not in line]

    assert without_variable_parts(known) == without_variable_parts(unknown)


def test_inactive_people_cannot_sign_in(client: Client, carol: User) -> None:
    carol.is_active = False
    carol.save()
    assert sign_in(client, "carol", PASSWORD).status_code == 422


def test_logout_ends_the_session_and_clears_the_site(viewer_client: Client) -> None:
    response = viewer_client.post("/logout/")
    assert response["Clear-Site-Data"] == '"cache", "storage"'
    assert viewer_client.get("/account/").status_code == 302
    assert Session.objects.count() == 0


def test_logout_takes_no_get(viewer_client: Client) -> None:
    assert viewer_client.get("/logout/").status_code == 405
    assert viewer_client.get("/account/").status_code == 200


def test_forms_need_their_token(carol: User) -> None:
    client = Client(enforce_csrf_checks=True)
    response = sign_in(client, "carol", PASSWORD)
    assert response.status_code == 403
    assert "reload the page" in response.text


def test_passwords_are_hashed_with_argon2id_in_little_memory() -> None:
    hasher = SmallArgon2Hasher()
    encoded = hasher.encode(PASSWORD, hasher.salt())
    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert hasher.verify(PASSWORD, encoded)
    assert not hasher.verify("wrong", encoded)
    assert not hasher.must_update(encoded)


# --- The first admin -----------------------------------------------------------------------------


def setup_form(token: str, **changes: str) -> dict[str, str]:
    return {
        "token": token,
        "username": "alice",
        "password1": PASSWORD,
        "password2": PASSWORD,
        **changes,
    }


def test_setup_link_makes_the_first_admin_and_signs_in(client: Client) -> None:
    token = accounts.issue_setup_token(timezone.now())
    assert token in client.get(f"/setup/?token={token}").text
    response = client.post("/setup/", setup_form(token))
    assert (response.status_code, response["Location"]) == (302, "/")
    assert role_of(User.objects.get()) == "admin"
    assert client.get("/account/").status_code == 200
    actions = list(AuditEvent.objects.values_list("action", "actor"))
    assert actions == [("setup", "alice"), ("login", "alice")]


def test_setup_keeps_only_the_hash_of_the_token() -> None:
    token = accounts.issue_setup_token(timezone.now())
    assert len(token) >= 43  # 256 bits in base64
    row = SetupToken.objects.values_list().get()
    assert token not in str(row)


@pytest.mark.parametrize("token", ["", "wrong", "\ud800", "x" * 200, "ключ"])
def test_setup_refuses_a_wrong_token(client: Client, token: str) -> None:
    accounts.issue_setup_token(timezone.now())
    response = client.post("/setup/", setup_form(token.encode("utf-8", "replace").decode()))
    assert response.status_code == 422
    assert not User.objects.exists()


def test_setup_refuses_an_expired_token(settings: Any) -> None:
    now = timezone.now()
    token = accounts.issue_setup_token(now)
    late = now + settings.SETUP_TOKEN_LIFETIME + timedelta(seconds=1)
    assert accounts.is_setup_token(token, late - timedelta(seconds=2))
    assert not accounts.is_setup_token(token, late)
    with pytest.raises(RefusedError):
        accounts.make_first_admin(token, username="alice", password=PASSWORD, now=late)


def test_setup_refuses_a_weak_password(client: Client) -> None:
    token = accounts.issue_setup_token(timezone.now())
    response = client.post("/setup/", setup_form(token, password1="password", password2="password"))
    assert response.status_code == 422
    assert "too common" in response.text
    assert accounts.is_setup_token(token, timezone.now())


def test_a_new_setup_link_ends_the_one_before() -> None:
    first = accounts.issue_setup_token(timezone.now())
    accounts.issue_setup_token(timezone.now())
    assert not accounts.is_setup_token(first, timezone.now())


def test_setup_is_closed_once_an_account_exists(client: Client) -> None:
    token = accounts.issue_setup_token(timezone.now())
    User.objects.create_user("someone")
    assert client.get("/setup/")["Location"] == "/login/"
    assert client.post("/setup/", setup_form(token)).status_code == 403
    with pytest.raises(RefusedError):
        accounts.make_first_admin(token, username="a", password=PASSWORD, now=timezone.now())
    with pytest.raises(RefusedError):
        accounts.issue_setup_token(timezone.now())


@pytest.mark.django_db(transaction=True)
def test_setup_token_makes_one_admin_for_many_callers_at_once() -> None:
    token = accounts.issue_setup_token(timezone.now())

    def attempt(number: int) -> bool:
        try:
            accounts.make_first_admin(
                token, username=f"admin{number}", password=PASSWORD, now=timezone.now()
            )
        except RefusedError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(attempt, range(8)))
    assert made.count(True) == 1
    assert User.objects.count() == 1


def test_making_the_first_admin_needs_the_form_token(db: None) -> None:
    token = accounts.issue_setup_token(timezone.now())
    form = {"token": token, "username": "eve", "password1": PASSWORD, "password2": PASSWORD}
    assert Client(enforce_csrf_checks=True).post("/setup/", form).status_code == 403
    assert not User.objects.exists()


def test_signing_in_needs_the_form_token(carol: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert sign_in(client, "carol", PASSWORD).status_code == 403
    assert "sessionstore_session" not in client.cookies


# --- One's own password --------------------------------------------------------------------------


def password_form(old: str, new: str) -> dict[str, str]:
    return {"old_password": old, "new_password1": new, "new_password2": new}


def test_password_change_ends_other_sessions_of_the_person(carol: User) -> None:
    here, elsewhere = client_for(carol), client_for(carol)
    response = here.post("/account/password/", password_form(PASSWORD, "another fine password"))
    assert response["Location"] == "/account/"
    assert here.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302
    assert AuditEvent.objects.filter(action="password.change", actor="carol").count() == 1


def test_password_change_asks_for_the_old_one_under_the_throttle(viewer_client: Client) -> None:
    form = password_form("wrong", "another fine password")
    answers = [viewer_client.post("/account/password/", form).status_code for _ in range(7)]
    assert answers[0] == 422
    assert answers[-1] == 429
    right = password_form(PASSWORD, "another fine password")
    assert viewer_client.post("/account/password/", right).status_code == 429


def test_account_page_says_when_someone_has_no_role(make_user: Any) -> None:
    page = client_for(make_user("dave", None)).get("/account/")
    assert "none yet; ask an admin" in page.text
