"""A digest of an entry with a weak secret: whoever has it can try out passwords at home.

A masked value is only as hidden as the digest of the entry around it. So nothing that leaves the
console has the store's own etag: a tag stands for it, keyed with the console's secret.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.models import AuditEvent, Plan
from dashboard.services.bulk_items import digest_of
from dashboard.services.bulk_plans import items_of
from dashboard.services.entry_tags import tag_of
from sessionstore import entries
from sessionstore.store import open_store
from sessionstore.versions import versions
from tests.conftest import client_for
from tests.dashboard.incidents.conftest import Plant
from tests.dashboard.incidents.crawling import Crawl
from tests.dashboard.incidents.planting import World
from tests.dashboard.persons import Person
from tests.dashboard.url_map import all_addresses

pytestmark = pytest.mark.django_db

#: Pages that show a shortened etag would still help a guess.
SHORTEST = 12
WHOLE = frozenset({"session", "session_json", "session_versions", "session_edit", "plan"})
_SIGNED = re.compile(r'name="opened" value="(\.?)([A-Za-z0-9_-]+):')


def digests_of(world: World) -> set[str]:
    """The beginning of every digest of an entry, as it is and as it was, whole or compared."""
    store = open_store(world.state / "agents" / "main" / "sessions")
    found = list(store.load().values())
    for key in world.keys:
        found += [v.entry for v in versions(store, key) if v.entry is not None]
    etags = [entries.etag(entry) for entry in found]
    idle = [{n: v for n, v in entry.items() if n != "updatedAt"} for entry in found]
    etags += map(entries.etag, idle)
    etags += [item.effects.seen for plan in Plan.objects.all() for item in items_of(plan)]
    return {etag[:SHORTEST] for etag in etags if etag}


def answers(world: World, admin: User) -> Iterator[tuple[str, str]]:
    """Every address with what it answers, the signed part of forms as what it carries."""
    person = Person(admin)
    starts = [a.at(world.values) for a in all_addresses() if not a.wants_token]
    for visit in Crawl(client_for(admin), most_alike=1, whole=WHOLE).visits(starts):
        yield visit.address, visit.body
        for packed, text in _SIGNED.findall(visit.body):
            content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            yield (
                f"{visit.address} signed",
                (zlib.decompress(content) if packed else content).decode(),
            )
    for address in all_addresses():
        if address.wants_token:
            path = address.at(world.values)
            answer = person.ask(address, "GET", path)
            yield path, f"{dict(answer.headers)} {answer.getvalue().decode()}"


def test_no_address_shows_a_digest_that_a_masked_value_could_be_guessed_by(
    plant_texts: Plant, alice: User
) -> None:
    world = plant_texts(["a text"])
    forbidden = digests_of(world)
    assert len(forbidden) > 2
    seen: dict[str, str] = {}
    leaks: dict[str, list[str]] = {}
    for address, body in answers(world, alice):
        seen[address] = body
        if found := [digest for digest in forbidden if digest in body]:
            leaks[address] = found
    assert leaks == {}
    assert any(address.endswith(" signed") for address in seen)
    assert any("'ETag': " in body for body in seen.values())
    details = str(list(AuditEvent.objects.values_list("details")))
    assert [digest for digest in forbidden if digest in details] == []


def test_the_digest_of_a_plan_is_keyed(plant_texts: Plant, alice: User, settings: Any) -> None:
    plant_texts(["a text"])
    plan = Plan.objects.latest("created_at")
    settings.SECRET_KEY = "another console's"
    assert digest_of(plan.action, plan.params, items_of(plan)) != plan.digest


def test_a_tag_tells_neither_equal_sessions_nor_equal_stores_nor_consoles(settings: Any) -> None:
    etag = entries.etag({"sessionId": "a"})
    tags = {tag_of("s1", "k1", etag), tag_of("s1", "k2", etag), tag_of("s2", "k1", etag)}
    settings.SECRET_KEY = "another console's"
    tags.add(tag_of("s1", "k1", etag))
    assert len(tags) == 4
    assert etag not in tags
    assert tag_of("s1", "k1", "") == ""
