"""Secrets in indexes and transcripts: one view of a peer masked them, another did not.

Keys of every published form are planted wherever a text can be, and every page, part, JSON and CSV
that there is a link to is opened as an admin, and every address for programs with a token: none
of them is in any answer, nor in the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.models import AuditEvent, Change, Job, JobItem
from sessionstore.entries import redact
from tests.conftest import client_for
from tests.dashboard.incidents.conftest import Plant
from tests.dashboard.incidents.crawling import Crawl
from tests.dashboard.incidents.planting import World
from tests.dashboard.persons import Person
from tests.dashboard.url_map import all_addresses
from tests.sessionstore.test_entries_redact import SECRETS

pytestmark = pytest.mark.django_db

WHOLE = frozenset({"session", "session_json", "session_versions", "session_edit", "job", "change"})
#: What of each form is secret: the form may show who it belongs to, and where.
HIDDEN = [
    *(secret for secret in SECRETS if " " not in secret and "://" not in secret),
    *("AbCdEf0123456789.x-y_z", "hunter22", "b3BlbnNzaC1rZXk", "MIIEpAIBAAKCAQEA"),
]


def leaks_in(body: str) -> list[str]:
    """Secrets in a text, also where somebody folded it."""
    folded = body.lower()
    return [secret for secret in HIDDEN if secret.lower() in folded]


def answers(world: World, admin: User) -> Iterator[tuple[str, str]]:
    """Every address with what it answers."""
    person = Person(admin)
    starts = [a.at(world.values) for a in all_addresses() if not a.wants_token]
    for visit in Crawl(client_for(admin), most_alike=2, whole=WHOLE).visits(starts):
        assert visit.status < 500, visit.address
        yield f"{visit.address} {'part' if visit.is_part else ''}", visit.body
    for address in all_addresses():
        if address.wants_token:
            path = address.at(world.values)
            yield path, person.ask(address, "GET", path).getvalue().decode()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_address_shows_a_planted_secret(
    plant_texts: Plant, alice: User, capfd: pytest.CaptureFixture[str]
) -> None:
    world = plant_texts(SECRETS)
    found: dict[str, list[str]] = {}
    opened = 0
    for address, body in answers(world, alice):
        opened += 1
        if leaks := leaks_in(body):
            at = body.lower().index(leaks[0].lower())
            found[address] = [*leaks, body[max(0, at - 100) : at + 50]]
    assert found == {}
    assert opened > 100
    assert leaks_in(capfd.readouterr().err) == []


def test_every_planted_form_is_one_that_is_masked() -> None:
    shown = json.dumps(redact({"note": [f"see {secret}" for secret in SECRETS]}))
    assert leaks_in(shown) == []


def test_nothing_that_the_console_keeps_of_its_own_has_a_planted_secret(
    plant_texts: Plant,
) -> None:
    """The console's tables. ``Change.key`` and ``JobItem.key`` name the session, as it is."""
    plant_texts(SECRETS)
    kept: list[Any] = list(AuditEvent.objects.values_list("target", "reason", "details"))
    kept += Change.objects.values_list("store_name", "action", "fields", "reason", "actor")
    kept += Job.objects.values_list("title", "reason", "outcome", "current")
    kept += JobItem.objects.values_list("message")
    assert [leaks_in(str(row)) for row in kept if leaks_in(str(row))] == []
