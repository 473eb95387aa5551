"""What is masked is not told by what a search finds either, nor by the order of a list.

Somebody who sees "deploy [masked]" and may search can try "ghp_a", "ghp_b" and so on: each letter
takes some tens of tries, and the whole secret some minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from sessionstore.store import Store, open_store

pytestmark = pytest.mark.django_db

SECRET = "ghp_" + "q7Rz" * 9
KEY = f"agent:main:explicit:{SECRET.lower()}"


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Store:
    settings.STATE_DIR = tmp_path
    store = open_store(tmp_path / "agents" / "main" / "sessions")
    for number, field in enumerate(("label", "subject", "displayName", "groupChannel")):
        titles = {"label": "plain", field: f"deploy {SECRET}"}
        store.put(f"agent:main:{number}", {"sessionId": f"id-{number}", **titles})
    store.put("agent:main:id", {"sessionId": SECRET})
    store.put(KEY, {"sessionId": "id-key"})
    return store


def found(client: Client, **asked: str) -> list[str]:
    answer = client.get("/sessions.json", {"machine": "yes", "sort": "key", **asked})
    assert answer.status_code == 200
    return [row["key"] for row in answer.json()["sessions"]]


@pytest.mark.parametrize("length", [6, 12, 25, len(SECRET)])
@pytest.mark.parametrize("start", [0, 4])
def test_no_part_of_a_secret_is_found_by_its_text(
    store: Store, viewer_client: Client, start: int, length: int
) -> None:
    part = SECRET[start : start + length]
    assert found(viewer_client, q=part) == []
    assert found(viewer_client, q=part.lower()) == []


@pytest.mark.parametrize("pattern", [f"*{SECRET[:8]}*", f"*{SECRET}", "*ghp*", "*:ghp_" + "?" * 36])
def test_no_part_of_a_secret_is_found_by_a_pattern(
    store: Store, viewer_client: Client, pattern: str
) -> None:
    assert found(viewer_client, key=pattern) == []


def test_sessions_are_found_by_what_is_shown_of_them(store: Store, viewer_client: Client) -> None:
    assert len(found(viewer_client, q="deploy")) == 4
    assert len(found(viewer_client, q="explicit")) == 1
    assert len(found(viewer_client, key="agent:main:explicit:*")) == 1
    assert len(found(viewer_client, key="*")) == 6


def test_an_entry_that_changes_tells_no_more(store: Store, viewer_client: Client) -> None:
    found(viewer_client, q="deploy")  # from here on changes are kept beside the searched text
    store.put("agent:main:late", {"sessionId": "id-late", "label": f"late {SECRET}"})
    assert found(viewer_client, q="late") == ["agent:main:late"]
    assert found(viewer_client, q=SECRET[:8]) == []


def test_the_order_of_a_list_tells_nothing(store: Store, viewer_client: Client) -> None:
    orders = []
    for one, other in (("a", "z"), ("z", "a")):
        store.put("agent:main:0", {"sessionId": "id-0", "label": f"x ghp_{one * 36}"})
        store.put("agent:main:1", {"sessionId": "id-1", "label": f"x ghp_{other * 36}"})
        orders.append(found(viewer_client, sort="name", q="x"))
    assert orders[0] == orders[1]


def test_a_label_that_is_masked_is_still_unique(
    store: Store, admin_client: Client, operator_client: Client
) -> None:
    [row] = operator_client.get("/sessions.json", {"key": "agent:main:id"}).json()["sessions"]
    page = f"/stores/{row['store_id']}/sessions/{row['ref']}/act/rename/"
    answer = operator_client.post(page, {"label": f"deploy {SECRET}", "seen": "[]"})
    assert answer.status_code == 422
    assert "has this label already" in answer.content.decode()
    assert (
        operator_client.post(page, {"label": f"deploy {SECRET}x", "seen": "[]"}).status_code == 302
    )
