"""A save or an undo that met a newer version and was merged with it is counted as that."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from dashboard.models import Change
from dashboard.services.fleet import fleet
from dashboard.services.refs import digest
from sessionstore.recording import reporter_of
from sessionstore.store import Store, open_store
from tests.dashboard.editing.conftest import opened
from tests.dashboard.metrics.test_totals import Agents, Scraper, collect

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "agent:main:main"


@pytest.fixture
def store(agents: Agents, scrape: Scraper) -> Store:
    """A store whose totals have begun, as a writer has it that reports nothing."""
    [folder] = agents("main")
    store = open_store(folder / "sessions.json", report=False)
    store.patch(KEY, {"label": "old", "channel": "telegram"})
    collect()
    return store


@pytest.fixture
def merged(store: Store, scrape: Scraper) -> Callable[[], float]:
    """Return a count of merged edits, by ``/metrics``, once the console has reported."""

    def merged() -> float:
        reporter_of(store.paths.sidecar).flush()
        collect()
        seen = scrape()
        assert seen.total("conflicts_total", resolution="refused") == 0
        count = seen("conflicts_total", agent="main", operation="update", resolution="merged")
        assert count == seen.total("conflicts_total", resolution="merged")
        return count

    return merged


def address(rest: str = "edit/") -> str:
    return f"/stores/{fleet().scan().readers[0].id}/sessions/{digest(KEY)[:16]}/{rest}"


def save(client: Client, meanwhile: Callable[[], object] = int) -> None:
    form = opened(client, address()) | {"f-label": "mine", "do": "save"}
    meanwhile()
    assert client.post(address(), form).status_code == 302


def undo(client: Client) -> None:
    change = Change.objects.latest("pk")
    assert client.post(f"/undo/{change.pk}/undo/", {"reason": "no"}).status_code == 302


def test_a_save_over_the_version_that_was_seen_is_no_conflict(
    store: Store, merged: Callable[[], float], operator_client: Client
) -> None:
    save(operator_client)
    assert merged() == 0


def test_a_save_that_keeps_what_others_wrote_meanwhile_is_merged(
    store: Store, merged: Callable[[], float], operator_client: Client
) -> None:
    save(operator_client, lambda: store.patch(KEY, {"category": "theirs"}))
    assert (store.get(KEY) or {})["category"] == "theirs"
    assert merged() == 1


def test_a_save_that_writes_nothing_is_not_merged(
    store: Store, merged: Callable[[], float], operator_client: Client
) -> None:
    theirs = {"category": "theirs", "label": "mine"}
    save(operator_client, lambda: store.patch(KEY, theirs))
    assert merged() == 0


def test_an_undo_of_what_nobody_touched_since_is_no_conflict(
    store: Store, merged: Callable[[], float], operator_client: Client
) -> None:
    save(operator_client)
    undo(operator_client)
    assert (store.get(KEY) or {})["label"] == "old"
    assert merged() == 0


def test_an_undo_that_keeps_what_others_wrote_since_is_merged(
    store: Store, merged: Callable[[], float], operator_client: Client
) -> None:
    save(operator_client)
    store.patch(KEY, {"category": "theirs"})
    undo(operator_client)
    entry = store.get(KEY) or {}
    assert (entry["label"], entry["category"]) == ("old", "theirs")
    assert merged() == 1
