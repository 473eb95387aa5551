"""Guessing is slowed down by account, by address and in total, and nobody can evade or abuse it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import authenticate
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from dashboard import accounts, throttling
from dashboard.models import AuditEvent
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def attempt(client: Client, name: str, password: str = "wrong", **extra: Any) -> int:
    response = client.post("/login/", {"username": name, "password": password}, **extra)
    return int(response.status_code)


def let_pass(seconds: int) -> None:
    """Move all failures into the past, as time would."""
    for row in AccessAttempt.objects.all():
        row.attempt_time -= timedelta(seconds=seconds)
        row.save()


def test_twenty_tries_at_one_account_end_in_waiting(client: Client, carol: User) -> None:
    answers = [attempt(client, "carol") for _ in range(20)]
    assert answers == [422] * 4 + [429] * 16
    assert attempt(client, "carol", PASSWORD) == 429


def test_waiting_people_are_told_how_long_and_get_in_afterwards(
    client: Client, carol: User
) -> None:
    for _ in range(5):
        attempt(client, "carol")
    response = client.post("/login/", {"username": "carol", "password": PASSWORD})
    assert 25 <= int(response["Retry-After"]) <= 30
    assert "Wait" in response.text
    let_pass(31)
    assert attempt(client, "carol", PASSWORD) == 302


def test_waits_double_up_to_a_limit() -> None:
    limit = throttling.BY_ACCOUNT
    waits = [limit.wait_s(failures) for failures in (0, 4, 5, 6, 7, 9, 10, 1000)]
    assert waits == [0, 0, 30, 60, 120, 480, 900, 900]


def test_tries_during_a_wait_do_not_prolong_it(client: Client, carol: User) -> None:
    for _ in range(5):
        attempt(client, "carol")
    before = throttling.seconds_to_wait("carol", "127.0.0.1", timezone.now())
    for _ in range(5):
        attempt(client, "carol")
    assert throttling.seconds_to_wait("carol", "127.0.0.1", timezone.now()) <= before


def test_an_account_is_counted_across_addresses(client: Client, carol: User) -> None:
    answers = [attempt(client, "carol", REMOTE_ADDR=f"192.0.2.{n}") for n in range(6)]
    assert answers == [422] * 4 + [429] * 2


def test_an_address_is_counted_across_accounts(client: Client, carol: User) -> None:
    answers = [attempt(client, f"person{n}", REMOTE_ADDR="192.0.2.1") for n in range(11)]
    assert answers == [422] * 9 + [429] * 2
    assert attempt(client, "carol", PASSWORD, REMOTE_ADDR="192.0.2.2") == 302


def test_both_forms_of_an_ipv4_address_are_one(client: Client) -> None:
    forms = ["192.0.2.1", "::ffff:192.0.2.1"]
    answers = [attempt(client, f"person{n}", REMOTE_ADDR=forms[n % 2]) for n in range(10)]
    assert answers[-1] == 429


def test_of_a_thousand_tries_hardly_any_password_is_looked_at(
    rf: RequestFactory, carol: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    known = ModelBackend.authenticate

    def looking(self: ModelBackend, *args: Any, **kwargs: Any) -> Any:
        looked.append(kwargs.get("username", ""))
        return known(self, *args, **kwargs)

    monkeypatch.setattr(ModelBackend, "authenticate", looking)
    addresses = ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "::FFFF:192.0.2.1"]
    for n in range(1000):
        headers = {"X-Forwarded-For": f"198.51.100.{n % 250}", "User-Agent": f"agent {n}"}
        request = rf.post("/login/", {f"f{n}": "x"}, REMOTE_ADDR=addresses[n % 4], headers=headers)
        name = ["carol", f"person{n}"][n % 2]
        assert authenticate(request, username=name, password=f"guess {n}") is None
    assert 5 <= len(looked) <= 12, looked
    assert AuditEvent.objects.count() <= 30


def test_a_name_costs_the_same_whether_it_has_an_account_or_not(
    client: Client, carol: User, make_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    disabled, invited = make_user("dave", "viewer"), make_user("erin", "viewer")
    disabled.is_active = False
    disabled.save()
    invited.set_unusable_password()
    invited.save()
    hashed: list[str] = []
    known = MD5PasswordHasher.encode

    def hashing(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return known(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", hashing)
    costs = []
    for name in ("carol", "dave", "erin", "nobody"):
        hashed.clear()
        assert attempt(client, name) == 422
        costs.append(len(hashed))
    assert costs == [1, 1, 1, 1]


def test_tries_with_a_setup_token_are_slowed_down_too(client: Client) -> None:
    accounts.issue_setup_token(timezone.now())
    form = {"token": "x" * 43, "username": "a", "password1": PASSWORD, "password2": PASSWORD}
    answers = [client.post("/setup/", form).status_code for _ in range(11)]
    assert answers == [422] * 9 + [429] * 2
    events = AuditEvent.objects.values_list("action", "target", "outcome")
    assert ("setup", "", "failed") in events
    assert ("setup.wait", "", "refused") in events


def test_addresses_of_one_ipv6_network_are_one(client: Client) -> None:
    answers = [attempt(client, f"p{n}", REMOTE_ADDR=f"2001:db8::{n + 1:x}") for n in range(10)]
    assert answers[-1] == 429
    assert attempt(client, "other", REMOTE_ADDR="2001:db8:0:1::1") == 422


def test_a_wide_attack_is_counted_in_total(
    client: Client, carol: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "IN_TOTAL", throttling.Limit(8, 5, 60))
    answers = [attempt(client, f"p{n}", REMOTE_ADDR=f"198.51.{n}.1") for n in range(9)]
    assert answers == [422] * 7 + [429] * 2


def test_forwarded_addresses_of_strangers_count_for_nothing(client: Client) -> None:
    answers = [
        attempt(client, f"p{n}", headers={"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(10)
    ]
    assert answers[-1] == 429


def test_user_agents_and_extra_fields_do_not_evade_the_count(client: Client, carol: User) -> None:
    for n in range(5):
        client.post(
            "/login/",
            {"username": "carol", "password": "wrong", f"field{n}": "x"},
            headers={"User-Agent": f"agent {n}"},
        )
    assert attempt(client, "carol", PASSWORD) == 429


def test_names_too_long_for_an_account_are_counted_as_far_as_columns_hold_them(
    client: Client,
) -> None:
    answers = [attempt(client, "x" * (300 + n), REMOTE_ADDR=f"192.0.2.{n}") for n in range(5)]
    assert answers[-1] == 429
    assert {len(row.username or "") for row in AccessAttempt.objects.all()} == {150}


def test_unknown_accounts_wait_exactly_as_known_ones(client: Client, carol: User) -> None:
    known = [attempt(client, "carol", REMOTE_ADDR="192.0.2.1") for _ in range(7)]
    unknown = [attempt(client, "nobody", REMOTE_ADDR="192.0.2.2") for _ in range(7)]
    assert known == unknown


def test_ones_own_sign_in_does_not_reset_the_count_of_the_address(
    client: Client, carol: User
) -> None:
    for n in range(9):
        attempt(client, f"person{n}")
    assert attempt(client, "carol", PASSWORD) == 302
    assert attempt(client, "person9") == 429


def test_a_sign_in_resets_the_count_of_its_account(client: Client, carol: User) -> None:
    for _ in range(4):
        attempt(client, "carol")
    assert attempt(client, "carol", PASSWORD) == 302
    assert attempt(client, "carol") == 422


def test_audit_has_failures_and_the_start_of_a_wait_but_not_every_refused_try(
    client: Client, carol: User
) -> None:
    for _ in range(12):
        attempt(client, "carol")
    events = list(AuditEvent.objects.values_list("action", "target", "outcome"))
    assert events == [("login", "carol", "failed")] * 5 + [("login.wait", "carol", "refused")]


def test_throttle_tables_never_hold_a_password_or_token(client: Client) -> None:
    client.post(
        "/login/",
        {"username": "u", "password": "hunter2", "csrfmiddlewaretoken": "t0ken", "next": "/n3xt"},
    )
    stored = str(list(AccessAttempt.objects.values()))
    for secret in ("hunter2", "t0ken", "n3xt"):
        assert secret not in stored
