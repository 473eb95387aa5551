"""Single sessions made to break or flood their page, or to carry a secret round the mask."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from sessionstore.keys import file_name

pytestmark = pytest.mark.django_db

KEY = "agent:main:main"
SECRET = "ghp_" + "a1B2" * 9
Make = Callable[[str], None]
Open = Callable[..., HttpResponse]


@pytest.fixture
def make(tmp_path: Path, settings: Any) -> Make:
    """Return a maker of the one session, from its file's text."""
    directory = tmp_path / "agents" / "main" / "sessions" / "sessions.d"
    directory.mkdir(parents=True)
    settings.STATE_DIR = tmp_path

    def make(text: str) -> None:
        (directory / file_name(KEY)).write_text(text)

    return make


@pytest.fixture
def open_session(viewer_client: Client) -> Open:
    """Return an opener of the one session's page."""

    def open_it(tab: str = "", suffix: str = "/") -> Any:
        (row,) = viewer_client.get("/sessions.json?machine=yes").json()["sessions"]
        address = f"/stores/{row['store_id']}/sessions/{row['ref']}{suffix}"
        return viewer_client.get(address, {"tab": tab} if tab else {})

    return open_it


def test_damage_with_a_number_too_long_to_read_has_its_page(make: Make, open_session: Open) -> None:
    make('{"sessionId":"a","n":' + "9" * 100_000 + "}")
    assert open_session().status_code == 200


def test_transcript_name_too_long_for_a_file_has_its_page(make: Make, open_session: Open) -> None:
    make(json.dumps({"sessionId": "a", "sessionFile": "x" * 5000}))
    assert open_session().status_code == 200


def test_page_of_very_many_fields_is_bounded(make: Make, open_session: Open) -> None:
    make(json.dumps({"sessionId": "a", **{f"field{n}": n for n in range(50_000)}}))
    assert len(open_session().content) < 2_000_000


@pytest.mark.parametrize(("tab", "suffix"), [("file", "/"), ("", ".json")])
def test_secret_as_session_id_is_masked_in_the_transcript_path(
    make: Make, open_session: Open, tab: str, suffix: str
) -> None:
    make(json.dumps({"sessionId": SECRET, "sessionFile": f"{SECRET}.jsonl"}))
    assert SECRET not in open_session(tab, suffix).content.decode()


@pytest.mark.parametrize(
    "text",
    [
        '{"sessionId":"a","botToken":"HIDDENVALUE',
        '{"sessionId":"a", botToken:"HIDDENVALUE", "x": 1}',
        "{\"sessionId\":\"a\", 'password':'HIDDENVALUE'}",
        '{"credentials":{"a":"HIDDENVALUE"},"x": }',
    ],
)
def test_damaged_text_shows_no_secret(make: Make, open_session: Open, text: str) -> None:
    make(text)
    assert "HIDDENVALUE" not in open_session("problems").content.decode()


@pytest.mark.parametrize("address", ["/stores/", "/stores.json", "/stores.csv", "/"])
def test_secret_in_an_agent_folder_is_masked(
    make: Make, tmp_path: Path, viewer_client: Client, address: str
) -> None:
    (tmp_path / "agents" / SECRET / "sessions" / "sessions.d").mkdir(parents=True)
    response: Any = viewer_client.get(address)
    body = b"".join(response.streaming_content) if response.streaming else response.content
    assert SECRET.lower() not in body.decode().lower()


def test_direction_marks_in_a_path_are_written_out(
    make: Make, tmp_path: Path, viewer_client: Client
) -> None:
    (tmp_path / "agents" / "x\u202ey" / "sessions" / "sessions.d").mkdir(parents=True)
    assert "\u202e" not in viewer_client.get("/stores/").content.decode()
