"""Window files say what their writer likes: it is text, it is masked, and it breaks nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client

from dashboard.services.refs import digest
from sessionstore.metrics import HotSession
from sessionstore.store import open_store
from tests.dashboard.latency.conftest import id_of
from tests.dashboard.latency.reported import MS, group, kept, report, window
from tests.dashboard.pages.hostile import DIRECTION, FORMULA, MARKUP, SECRET

pytestmark = pytest.mark.django_db
TEXTS = (MARKUP, FORMULA, f"token {SECRET}", DIRECTION)


@pytest.fixture
def planted(small: Path, now_ms: int) -> Path:
    """Every text of a report tries to be something else; one such session exists."""
    directory = small / "agents" / "main" / "sessions"
    keys = [f"agent:main:explicit:{text}".lower() for text in TEXTS]
    store = open_store(directory, report=False)
    for key in keys[:1]:
        store.put(key, {"sessionId": "x", "updatedAt": now_ms, "label": MARKUP})
    made = window(
        now_ms - 20_000,
        now_ms - 15_000,
        [
            group(
                operation=text[:60], outcome=text[:60], scope=text[:60], layout=text[:60], wait=[MS]
            )
            for text in TEXTS
        ],
        program=MARKUP,
        sessions=[HotSession(key, 1, 0, MS, MS, 10, 0) for key in keys],
        writes=[
            kept(now_ms - 16_000, key, operation=text, outcome=text, program=text, host=text)
            for key, text in zip(keys, TEXTS, strict=True)
        ],
    )
    report(directory, [made])
    return small


@pytest.mark.parametrize("kind", ["/", ".json", ".csv"])
@pytest.mark.parametrize("one_store", [True, False])
def test_pages_and_twins_show_texts_as_texts(
    planted: Path, viewer_client: Client, kind: str, one_store: bool
) -> None:
    place = f"/stores/{id_of('main')}" if one_store else ""
    answer = viewer_client.get(f"{place}/latency{kind}")
    text = answer.getvalue().decode()
    assert answer.status_code == 200
    assert SECRET not in text
    assert SECRET.lower() not in text
    assert DIRECTION not in text
    if kind == "/":
        assert "<img" not in text
        assert "window.broken=1</script>" not in text


@pytest.mark.parametrize("address", ["/?tab=writes", "/?tab=locks", "/writes.json", "/writes.csv"])
def test_a_sessions_writes_show_texts_as_texts(
    planted: Path, viewer_client: Client, address: str
) -> None:
    ref = digest(f"agent:main:explicit:{MARKUP}".lower())[:16]
    answer = viewer_client.get(f"/stores/{id_of('main')}/sessions/{ref}{address}")
    text = answer.getvalue().decode()
    assert answer.status_code == 200
    assert SECRET not in text
    if address.startswith("/?"):
        assert "<img" not in text


def test_keys_are_shown_as_the_list_of_sessions_shows_them(
    planted: Path, viewer_client: Client
) -> None:
    top = viewer_client.get("/latency.json").json()["top_sessions"]["held"]
    there = [one for one in top if one["ref"]]
    [listed] = [
        row
        for row in viewer_client.get("/sessions.json?machine=yes").json()["sessions"]
        if row["ref"] == there[0]["ref"]
    ]
    assert len(there) == 1
    assert (there[0]["key"], there[0]["title"]) == (listed["key"], listed["title"])


def test_a_session_that_is_gone_is_named_without_a_link(
    planted: Path, viewer_client: Client
) -> None:
    page = viewer_client.get("/latency/").text
    assert "not there now" in page
    assert len(re.findall(r'class="row-link" href="/stores/[^"]+tab=writes"', page)) == 3


def test_a_damaged_file_costs_only_itself(small: Path, now_ms: int, viewer_client: Client) -> None:
    directory = small / "agents" / "main" / "sessions"
    report(directory, [window(now_ms - 20_000, now_ms - 15_000, [group(wait=[MS] * 7)])])
    folder = next((directory / ".sessionstore").glob("*/stats"))
    (folder / "host-b-7-1.windows").write_bytes(b"\xff" * 4_000)
    answer = viewer_client.get("/latency.json").json()
    assert answer["total"]["updates"] == 7
