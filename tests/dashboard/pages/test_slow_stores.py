"""A store that does not answer is said to be slow, and the rest of the page is complete."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.services.fleet import fleet
from sessionstore.store import open_store


@pytest.fixture
def hanging(small_state: Path, settings: Any) -> Iterator[str]:
    """The store of work, whose disk has stopped to answer after it was read once."""
    settings.PAGE_WAIT_S = 1
    scan = fleet().refreshed(budget_s=30)
    reader = next(reader for reader in scan.readers if reader.name == "work")
    release = threading.Event()
    reader._scans.submit(lambda: release.wait(60))
    reader._reads.submit(lambda: release.wait(60))
    yield reader.id
    release.set()


@pytest.mark.parametrize("path", ["/", "/stores/", "/sessions/"])
def test_pages_answer_in_time_and_say_which_store_is_late(
    path: str, hanging: str, viewer_client: Client
) -> None:
    began = time.monotonic()
    text = viewer_client.get(path).content.decode()
    assert time.monotonic() - began < 30
    assert "still reading" in text.lower()
    assert "work" in text


@pytest.mark.parametrize("path", ["/latency/", "/stores/%s/latency/"])
def test_latencies_wait_for_a_hanging_store_once(
    path: str, hanging: str, viewer_client: Client, settings: Any
) -> None:
    settings.PAGE_WAIT_S = 8
    began = time.monotonic()
    text = viewer_client.get(path.replace("%s", hanging)).content.decode()
    assert time.monotonic() - began < 1.6 * settings.PAGE_WAIT_S
    assert "has not answered yet" in text


def test_a_late_store_shows_what_was_last_seen(
    hanging: str, small_state: Path, viewer_client: Client
) -> None:
    store = open_store(small_state / "agents" / "main" / "sessions")
    store.put("agent:main:telegram:direct:new", {"sessionId": "n"})
    answer = viewer_client.get("/sessions.json").json()
    assert answer["total"] == 5
    assert [note["name"] for note in answer["late_stores"]] == ["work"]
    assert "Shown as last seen" in viewer_client.get("/sessions/").content.decode()


def test_a_session_of_a_late_store_says_so_and_not_that_it_is_gone(
    hanging: str, viewer_client: Client
) -> None:
    rows = viewer_client.get("/sessions.json?agent=work").json()["sessions"]
    answer = viewer_client.get(f"/stores/{hanging}/sessions/{rows[0]['ref']}/")
    assert answer.status_code == 503
    assert "has not answered yet" in answer.content.decode()
