"""The list of sign-ins of a peer (sheaf 122) handed out the session values themselves.

What lets somebody in (the cookie's value, tokens, passwords, and their hashes) is in no answer but
the one that gives it, and in no table in the clear.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from dashboard import tokens
from dashboard.models import ApiToken, AuditEvent, Invite, SetupToken, SignIn
from tests.conftest import PASSWORD
from tests.dashboard.incidents.crawling import Crawl
from tests.dashboard.persons import Person
from tests.dashboard.url_map import all_addresses

pytestmark = pytest.mark.django_db


@pytest.fixture
def secrets_of_sign_ins(alice: User, carol: User, watched_demo: Path) -> dict[str, str]:
    """Everything that would let its finder in, or help to, by what it is."""
    browser = Client()
    browser.post("/login/", {"username": "carol", "password": PASSWORD})
    Person(alice).client.post(f"/people/{carol.pk}/invite/")
    assert Invite.objects.exists()
    found = {
        "an API token": tokens.issue(carol, name="t", role="viewer"),
        "the password": PASSWORD,
        "a session's cookie": browser.cookies["sessionstore_session"].value,
    }
    rows: list[tuple[Any, str]] = [
        *((Session, name) for name in ("session_key", "session_data")),
        *((model, "digest") for model in (ApiToken, SetupToken, Invite)),
        (User, "password"),
        (SignIn, "handle"),
    ]
    for model, name in rows:
        for at, value in enumerate(model.objects.values_list(name, flat=True)):
            found[f"{model.__name__}.{name} {at}"] = value
    return found


def answers(admin: User) -> Iterator[tuple[str, str]]:
    starts = [address.path for address in all_addresses() if not address.wants_token]
    person = Person(admin)
    for visit in Crawl(person.client, most_alike=2).visits(starts):
        yield visit.address, visit.body
    for address in all_addresses():
        if address.wants_token:
            yield address.path, person.ask(address, "GET", address.path).getvalue().decode()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_answer_has_what_would_let_somebody_in(
    secrets_of_sign_ins: dict[str, str], alice: User
) -> None:
    found = {
        (address, name)
        for address, body in answers(alice)
        for name, value in secrets_of_sign_ins.items()
        if value in body
    }
    assert found == set()


def test_no_table_has_it_in_the_clear(secrets_of_sign_ins: dict[str, str]) -> None:
    clear = [secrets_of_sign_ins[name] for name in ("an API token", "the password")]
    cookie = secrets_of_sign_ins["a session's cookie"]
    for model in apps.get_models():
        text = str(list(model._default_manager.values_list()))
        assert not any(value in text for value in clear), model.__name__
        assert model is Session or cookie not in text, model.__name__
    assert AuditEvent.objects.exists()
