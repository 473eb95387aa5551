"""Invite links: shown once, used once, for a day; also how a password is reset."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from dashboard.acting import Actor
from dashboard.models import AuditEvent, Invite
from dashboard.people import invites
from dashboard.people.changes import account_stamp
from dashboard.refusals import RefusedError
from tests.conftest import PASSWORD, MakeUser, client_for

pytestmark = pytest.mark.django_db

BY = Actor(1, "alice", "admin")
CHOSEN = "a password that I chose"


def link_in(page: str) -> str:
    found = re.search(r"http://testserver(/invite/\?token=[\w-]+)", page)
    assert found
    return found[1]


def accept(client: Client, link: str, first: str = CHOSEN, second: str = CHOSEN) -> Any:
    token = urlsplit(link).query.removeprefix("token=")
    form = {"token": token, "new_password1": first, "new_password2": second}
    return client.post("/invite/", form)


@pytest.fixture
def link(admin_client: Client) -> str:
    """A link for a new viewer, erin."""
    form = {"username": "erin", "role": "viewer", "reach": "all", "start": "invite"}
    return link_in(admin_client.post("/people/new/", form).text)


def test_a_new_person_chooses_a_password_and_is_signed_in(client: Client, link: str) -> None:
    assert "erin" in client.get(link).text
    assert accept(client, link)["Location"] == "/"
    assert "You are signed in" in client.get("/account/").text
    assert User.objects.get(username="erin").check_password(CHOSEN)
    assert AuditEvent.objects.get(action="invite").actor == "erin"


def test_a_link_works_once(client: Client, link: str) -> None:
    accept(client, link)
    assert accept(Client(), link, "another password yet", "another password yet").status_code == 403
    assert "This link does not work" in Client().get(link).text


def test_opening_a_link_does_not_use_it_up(client: Client, link: str) -> None:
    for _ in range(3):
        assert client.get(link).status_code == 200
    assert accept(client, link).status_code == 302


def test_a_link_ends_after_a_day(client: Client, link: str) -> None:
    Invite.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(link).status_code == 404
    assert accept(client, link).status_code == 403


def test_a_newer_link_replaces_the_older(admin_client: Client, client: Client, link: str) -> None:
    erin = User.objects.get(username="erin")
    newer = link_in(admin_client.post(f"/people/{erin.pk}/invite/").text)
    assert accept(client, link).status_code == 403
    assert accept(client, newer).status_code == 302


def test_a_disabled_person_cannot_use_a_link(client: Client, link: str) -> None:
    User.objects.filter(username="erin").update(is_active=False)
    assert accept(client, link).status_code == 403


def test_a_link_does_not_come_back_with_an_account_that_was_disabled(
    admin_client: Client, client: Client, link: str
) -> None:
    erin = User.objects.get(username="erin")
    for active in ("no", "yes"):
        form = {"active": active, "stamp": account_stamp(User.objects.get(pk=erin.pk))}
        assert admin_client.post(f"/people/{erin.pk}/active/", form).status_code == 302
    assert User.objects.get(pk=erin.pk).is_active
    assert accept(client, link).status_code == 403


def test_whoever_changes_their_password_ends_a_link_that_would_reset_it(
    client: Client, carol: User
) -> None:
    token = invites.issue(carol, by=BY)
    form = {"old_password": PASSWORD, "new_password1": CHOSEN, "new_password2": CHOSEN}
    assert client_for(carol).post("/account/password/", form).status_code == 302
    assert accept(client, f"/invite/?token={token}", "one more", "one more").status_code == 403
    assert User.objects.get(pk=carol.pk).check_password(CHOSEN)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [("short", "short", "at least 12"), (CHOSEN, "something else", "match")],
)
def test_a_password_that_will_not_do_keeps_the_link(
    client: Client, link: str, first: str, second: str, said: str
) -> None:
    answer = accept(client, link, first, second)
    assert answer.status_code == 422
    assert said in answer.text
    assert accept(client, link).status_code == 302


def test_a_reset_password_ends_what_was_signed_in_with_the_old_one(
    admin_client: Client, carol: User
) -> None:
    borrowed = client_for(carol)
    link = link_in(admin_client.post(f"/people/{carol.pk}/invite/").text)
    assert borrowed.get("/account/").status_code == 200
    accept(Client(), link)
    assert borrowed.get("/account/").status_code == 302
    credentials = {"username": "carol", "password": PASSWORD}
    assert Client().post("/login/", credentials).status_code == 422


def test_the_database_and_the_audit_have_no_link(link: str) -> None:
    token = urlsplit(link).query.removeprefix("token=")
    stored = f"{list(Invite.objects.values())} {list(AuditEvent.objects.values())}"
    assert token not in stored


def test_guessing_links_is_slowed_down_by_address(client: Client, carol: User) -> None:
    answers = [accept(client, "/invite/?token=wrong").status_code for _ in range(11)]
    assert answers[0] == 403
    assert answers[-1] == 429
    credentials = {"username": "carol", "password": PASSWORD}
    assert Client().post("/login/", credentials, REMOTE_ADDR="192.0.2.9").status_code == 302


def test_asking_for_a_link_needs_the_form_token(alice: User, carol: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(f"/people/{carol.pk}/invite/").status_code == 403
    assert not Invite.objects.exists()


def test_accepting_needs_the_form_token(link: str) -> None:
    assert accept(Client(enforce_csrf_checks=True), link).status_code == 403
    assert Invite.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_one_link_at_once_one_gets_in(make_user: MakeUser) -> None:
    token = invites.issue(make_user("erin", "viewer"), by=BY)
    begin, outcomes = threading.Barrier(2, timeout=60), []

    def use(number: int) -> None:
        begin.wait()
        try:
            invites.accept(token, f"password number {number}")
        except RefusedError:
            outcomes.append("refused")
        else:
            outcomes.append("in")
        finally:
            connection.close()

    threads = [threading.Thread(target=use, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["in", "refused"]
