"""The tab: what is known of a transcript without a word of its conversation, for every role."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.models import AuditEvent
from sessionstore.store import open_store
from tests.dashboard.locks.conftest import dead_owner

from .conftest import KEY, SID, Write, message, session_address

pytestmark = pytest.mark.django_db

WORDS = "zebra crossing"


def tab(client: Client) -> str:
    answer = client.get(f"{session_address(client)}?tab=transcript")
    assert answer.status_code == 200
    return str(answer.text)


def test_a_viewer_sees_the_file_and_not_what_was_said(write: Write, viewer_client: Client) -> None:
    path = write([message(1, WORDS)])
    path.chmod(0o600)
    text = tab(viewer_client)
    for shown in (path.name, "derived from the session id", "2 lines", "0600", "Began"):
        assert shown in text
    assert "/home/operator/states" in text
    assert WORDS not in text
    assert "transcript-read" not in text


def test_no_page_of_the_session_has_what_was_said(write: Write, admin_client: Client) -> None:
    write([message(1, WORDS)])
    address = session_address(admin_client)
    for tail in ("", "?tab=file", "?tab=transcript", "?tab=locks", "?tab=history", "transcript/"):
        for headers in ({}, {"HX-Request": "true"}, {"Sec-Purpose": "prefetch"}):
            assert WORDS not in admin_client.get(address + tail, headers=headers).text
    for tail in (".json", "/transcript.json"):
        assert WORDS not in admin_client.get(address.rstrip("/") + tail).text
    assert not AuditEvent.objects.filter(action__startswith="transcript").exists()


def test_an_operator_is_offered_to_read(write: Write, operator_client: Client) -> None:
    write([message(1)])
    assert 'id="transcript-read"' in tab(operator_client)


@pytest.mark.parametrize(("who", "offered"), [("operator", False), ("admin", True)])
def test_the_setting_for_admins_is_obeyed(
    write: Write,
    settings: Any,
    operator_client: Client,
    admin_client: Client,
    who: str,
    offered: bool,
) -> None:
    write([message(1)])
    settings.TRANSCRIPTS = "admin"
    client = {"operator": operator_client, "admin": admin_client}[who]
    assert ('id="transcript-read"' in tab(client)) == offered


def test_a_session_without_a_transcript_says_so_and_since_when(
    folder: Path, viewer_client: Client
) -> None:
    text = tab(viewer_client)
    assert "There is no transcript yet" in text
    assert "The session was last updated" in text
    assert f"{SID}.jsonl" in text


def test_a_bad_session_file_is_told_once_and_not_followed(
    folder: Path, write: Write, viewer_client: Client
) -> None:
    write([message(1)])
    open_store(folder).patch(KEY, {"sessionFile": "/etc/passwd"})
    text = tab(viewer_client)
    assert text.count("sessionFile leads out of the sessions directory") == 1
    assert f"{SID}.jsonl" in text


def test_an_entry_without_a_session_id_says_that_no_file_can_be_told(
    folder: Path, viewer_client: Client
) -> None:
    open_store(folder).put(KEY, {"updatedAt": 1_790_000_000_000})
    text = tab(viewer_client)
    assert "There is no transcript yet" in text
    assert "the entry has no session id that can be a file name" in text


def test_a_session_file_of_another_session_is_told(
    folder: Path, write: Write, viewer_client: Client
) -> None:
    write([message(1)])
    other = "0b4d8445-13d2-4ae9-a9d4-2152371df213.jsonl"
    open_store(folder).patch(KEY, {"sessionFile": other})
    text = tab(viewer_client)
    assert "the name of another session" in text
    assert f"{SID}.jsonl" in text


@pytest.mark.parametrize(
    ("lines", "said"),
    [([], "The file is empty"), ([b"{"], "first line is damaged"), ([{"a": 1}], "has no header")],
)
def test_a_transcript_without_a_header_says_why(
    write: Write, viewer_client: Client, lines: list[Any], said: str
) -> None:
    write(lines, header=False)
    assert said in tab(viewer_client)


def test_a_header_of_another_session_is_told(write: Write, viewer_client: Client) -> None:
    write([{"type": "session", "version": 3, "id": "other"}], header=False)
    assert "not the entry's" in tab(viewer_client)


def test_secrets_and_markup_in_the_header_are_masked_and_text(
    write: Write, viewer_client: Client
) -> None:
    secret = "ghp_" + "a1B2" * 9
    hostile = {"id": "<b>x</b>\u202e", "version": {}, "cwd": f"/x/{secret}", "timestamp": 5}
    write([{"type": "session", **hostile}], header=False)
    text = tab(viewer_client)
    assert secret not in text
    assert "<b>x</b>" not in text
    assert "\u202e" not in text


def test_archives_are_listed_and_others_are_not(write: Write, viewer_client: Client) -> None:
    write([message(1)])
    names = [
        f"{SID}.jsonl.reset.2026-11-20T21-36-56.784Z",
        f"{SID}-topic-caf%C3%A9.jsonl.deleted.2026-11-21T09-41-07Z",
        f"{SID}.trajectory.jsonl",
    ]
    for name in names:
        write([], name=name)
    write([], name="0b4d8445-13d2-4ae9-a9d4-2152371df213.jsonl")
    text = tab(viewer_client)
    for name in names:
        assert name in text
    assert "archive of a reset" in text
    assert "café" in text
    assert "0b4d8445" not in text


def test_the_list_of_files_has_twins(write: Write, viewer_client: Client) -> None:
    write([message(1, WORDS)])
    archive = f"{SID}.jsonl.reset.2026-11-20T21-36-56.784Z"
    write([], name=archive)
    address = session_address(viewer_client).rstrip("/")
    told = viewer_client.get(f"{address}/transcript.json").json()
    assert told["transcript"]["exists"] is True
    assert told["header"]["id"] == SID
    assert {one["name"] for one in told["files"]} == {f"{SID}.jsonl", archive}
    body = b"".join(viewer_client.get(f"{address}/transcript.csv")).decode()
    rows = list(csv.DictReader(body.splitlines()))
    assert {row["name"] for row in rows} == {f"{SID}.jsonl", archive}
    assert {row["at"] for row in rows} >= {"2026-11-20T21:36:56.784Z"}


def test_its_lock_is_shown_with_its_verdict(
    folder: Path, write: Write, viewer_client: Client
) -> None:
    path = write([message(1)])
    path.with_name(f"{path.name}.lock").write_text(json.dumps(dead_owner()))
    assert "owner gone" in tab(viewer_client).lower()


def test_a_link_in_its_place_is_not_followed(
    folder: Path, tmp_path: Path, viewer_client: Client
) -> None:
    (tmp_path / "secret.jsonl").write_text('{"type":"session","cwd":"elsewhere"}\n')
    os.symlink(tmp_path / "secret.jsonl", folder / f"{SID}.jsonl")
    text = tab(viewer_client)
    assert "elsewhere" not in text
    assert "it is not a regular file" in text


def test_a_damaged_entry_has_its_tab(folder: Path, write: Write, viewer_client: Client) -> None:
    write([message(1)])
    (file,) = folder.glob("sessions.d/*main*.json")
    file.write_text("{")
    assert "cannot be told without the entry" in tab(viewer_client)
