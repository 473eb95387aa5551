"""Errors tell where and what kind, never what was there.

A "diagnose" of pgHero (CVE-2023-22626) gave data away inside the messages of errors. Here every
kind of file is damaged around a word that is told nowhere: not in lists, findings, refusals or
the log. Only the page that shows the readable part of a damaged entry, to those who may read
entries, has it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.views import errors
from sessionstore.store import open_store
from tests.dashboard.incidents.crawling import Crawl
from tests.dashboard.persons import Person
from tests.dashboard.url_map import all_addresses

pytestmark = pytest.mark.django_db

WORD = "Quokka7431"
#: Shows the readable part of a damaged entry, which is what it is for.
SHOWS_ENTRIES = frozenset({"session"})
DAMAGED = [
    '{"label": "' + WORD,
    '{"label": "' + WORD + '", "x": }',
    "{" + WORD + ": 1}",
    '["' + WORD + '"]',
    '"' + WORD + '"',
    WORD,
    '{"label": "' + WORD + '"} ' + WORD,
    '{"label": "' + WORD + '", "n": ' + "9" * 5000 + "}",
    '{"label": "' + WORD + '", "a": ' + "[" * 3000,
]
WRAPPED = '{"sessionKey": "agent:main:x", "entry": "' + WORD + '"}'


@pytest.fixture
def damaged(tmp_path: Path, settings: Any) -> Path:
    """A state directory in which nothing but the word could be told."""
    settings.STATE_DIR = tmp_path
    store = open_store(tmp_path / "agents" / "main" / "sessions")
    store.put("agent:main:main", {"sessionId": "a", "updatedAt": 5})
    folder = store.path.with_name("sessions.d")
    store.close()
    for at, text in enumerate(DAMAGED):
        (folder / f"agent%3Amain%3Aexplicit%3Ad{at}.json").write_text(text)
        (folder / "x").mkdir(exist_ok=True)
        (folder / "x" / f"{at:064x}.json").write_text(text)
        legacy = tmp_path / "agents" / f"legacy{at}" / "sessions"
        legacy.mkdir(parents=True)
        (legacy / "sessions.json").write_text(text)
        marked = tmp_path / "agents" / f"marked{at}" / "sessions" / "sessions.d"
        marked.mkdir(parents=True)
        (marked / ".store.json").write_text(text)
    sidecar = folder.parent / ".sessionstore" / "sessions"
    for name in ("live", "versions", "quarantine"):
        (sidecar / name).mkdir(parents=True, exist_ok=True)
        (sidecar / name / "host-1-1").write_text(WORD)
        (sidecar / name / "1.json").write_text(DAMAGED[1])
    (folder / "x" / f"{99:064x}.json").write_text(WRAPPED)
    for name in ("sessions.json.lock", "a.jsonl.lock"):
        (folder.parent / name).write_text(DAMAGED[1])
    (folder.parent / "a.jsonl").write_text(WORD)
    (tmp_path / "openclaw.json").write_text(DAMAGED[1])
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_error_quotes_what_it_found(
    damaged: Path, alice: User, capfd: pytest.CaptureFixture[str]
) -> None:
    person = Person(alice)
    row = next(
        row
        for row in person.client.get("/sessions.json?machine=yes").json()["sessions"]
        if row["key"] == "agent:main:explicit:d1"
    )
    values: dict[str, object] = {"store_id": row["store_id"], "ref": row["ref"]}
    found, opened = set(), 0
    starts = [a.at(values) for a in all_addresses() if not a.wants_token]
    whole = frozenset({"session", "session_json"})
    for visit in Crawl(person.client, most_alike=2, whole=whole).visits(starts):
        opened += 1
        if WORD in visit.body and visit.name not in SHOWS_ENTRIES:
            found.add(visit.address)
    for address in all_addresses():
        if address.wants_token:
            body = person.ask(address, "GET", address.at(values)).getvalue().decode()
            found |= {address.route} if WORD in body else set()
    assert found == set()
    assert opened > 100
    assert WORD not in capfd.readouterr().err


def test_the_readable_part_is_shown_where_entries_are_read(
    damaged: Path, viewer_client: Client
) -> None:
    rows = viewer_client.get("/sessions.json?machine=yes").json()["sessions"]
    row = next(row for row in rows if row["key"] == "agent:main:explicit:d1")
    path = f"/stores/{row['store_id']}/sessions/{row['ref']}/?tab=problems"
    assert WORD in viewer_client.get(path).text


def test_a_refused_host_or_path_is_not_quoted_as_it_was_sent(viewer_client: Client) -> None:
    for answer in (
        viewer_client.get(f"/{WORD}/"),
        viewer_client.get("/", HTTP_HOST=f"{WORD.lower()}.example"),
        viewer_client.get(f"/stores/aaaaaaaaaaaa/sessions/?x={WORD}"),
        viewer_client.post("/preferences/", data=WORD, content_type="multipart/form-data"),
    ):
        assert answer.status_code >= 300
        assert WORD.lower() not in answer.text.lower()


@pytest.mark.parametrize("handler", [errors.bad_request, errors.permission_denied])
def test_handlers_of_errors_say_nothing_of_the_exception(handler: Any, rf: Any) -> None:
    answer = handler(rf.get("/"), ValueError(WORD))
    assert WORD not in answer.text
    assert json.dumps(WORD) not in answer.text
