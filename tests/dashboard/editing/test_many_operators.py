"""Twenty operators on five sessions that four writer processes update all the time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from dashboard.models import AuditEvent, Change
from sessionstore.kept import read_versions
from sessionstore.store import Store
from tests.conftest import MakeUser, client_for
from tests.dashboard.bulk.writers import Writers
from tests.dashboard.editing.conftest import Address, entry, opened

pytestmark = pytest.mark.django_db(transaction=True)

OPERATORS, SAVES = 20, 6
WRITERS = ("first", "second", "third", "fourth")
KEYS = tuple(f"agent:main:explicit:{number}" for number in range(5))
FIELDS = ("label", "category", "queueCap")


@dataclass(frozen=True, slots=True)
class Save:
    """One form that was sent: what it showed of a field, what was typed, how it was answered."""

    key: str
    field: str
    seen: str
    typed: str
    status: int
    reason: str


@pytest.fixture
def busy_store(store: Store) -> Store:
    """Five sessions, and nothing else."""
    there = store.keys()
    for key in there:
        store.delete(key)
    for number, key in enumerate(KEYS):
        store.put(key, entry(str(number), odd={"kept": [1, 2.5]}))
    return store


@pytest.fixture
def writers(busy_store: Store) -> Iterator[Writers]:
    """Four of them, at work."""
    writers = Writers(busy_store, WRITERS)
    yield writers
    for child in writers.running.values():
        child.kill()
        child.communicate()


def save_some(user: User, number: int, at: Address) -> list[Save]:
    """Open a form, type into one field, send it; some times over."""
    client, chance = client_for(user), random.Random(number)
    try:
        return [_save(client, chance, f"{number}-{turn}", at) for turn in range(SAVES)]
    finally:
        connections.close_all()


def _save(client: Client, chance: random.Random, name: str, at: Address) -> Save:
    key, field = chance.choice(KEYS), chance.choice(FIELDS)
    form = opened(client, at(key))
    typed = str(chance.randrange(1, 1000)) if field == "queueCap" else f"{field} {name}"
    posted = form | {f"f-{field}": typed, "reason": name, "do": "save"}
    status = _patiently(lambda: client.post(at(key), posted))
    return Save(key, field, form[f"f-{field}"], typed, status, name)


def _patiently(ask: Callable[[], Any]) -> int:
    """Ask again where the store was still being read, as that answer says: nothing was done."""
    deadline_s = time.monotonic() + 30
    while (status := int(ask().status_code)) == 503 and time.monotonic() < deadline_s:
        time.sleep(0.2)
    return status


def test_every_save_is_merged_or_refused_and_no_write_is_lost(
    busy_store: Store, writers: Writers, at: Address, make_user: MakeUser
) -> None:
    people = [make_user(f"operator-{number}", "operator") for number in range(OPERATORS)]
    with ThreadPoolExecutor(OPERATORS) as pool:
        asked = [pool.submit(save_some, user, n, at) for n, user in enumerate(people)]
        saves = [save for one in asked for save in one.result()]
    wrote = writers.stop()
    assert {save.status for save in saves} == {302, 409}
    for key in KEYS:
        now = busy_store.get(key) or {}
        assert {name: now[name] for name in WRITERS} == {name: wrote[name][key] for name in WRITERS}
        assert now["odd"] == {"kept": [1, 2.5]}
        _check_saves(busy_store, [save for save in saves if save.key == key])


def _check_saves(store: Store, saves: list[Save]) -> None:
    """Each save that succeeded replaced the very value that its form had shown, and is on record.

    The last one of each field is what is there.
    """
    versions = read_versions(store.paths, saves[0].key)
    by_reason = {version.reason: version for version in versions}
    done = [save for save in saves if save.status == 302]
    assert {save.reason for save in done} == set(by_reason)
    for save in done:
        before = (by_reason[save.reason].entry or {}).get(save.field, "")
        assert str(before) == save.seen
    now, by_name = store.get(saves[0].key) or {}, {save.reason: save for save in saves}
    for field in FIELDS:
        last = next((v for v in versions if by_name[v.reason].field == field), None)
        assert str(now.get(field, "")) == ("" if last is None else by_name[last.reason].typed)
    own = Change.objects.filter(key=saves[0].key)
    assert sorted(own.values_list("reason", flat=True)) == sorted(by_reason)
    for save in saves:
        ends = AuditEvent.objects.filter(reason=save.reason).order_by("sequence")
        outcome = "done" if save.status == 302 else "refused"
        outcomes = [event.outcome for event in ends]
        # A refusal whose page could not be shown in time was asked again, and refused or done then.
        again = len(outcomes) // 2 - 1
        assert outcomes == ["started", "refused"] * again + ["started", outcome]
