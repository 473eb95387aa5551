"""One session: fields explained, JSON drawn, file and transcript facts, damage shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from sessionstore.store import open_store
from tests.dashboard.pages.hostile import MARKUP, SECRET

ADA = "agent:main:telegram:direct:ada"


def address(client: Client, key: str) -> str:
    rows = client.get("/sessions.json?machine=yes").json()["sessions"]
    row = next(row for row in rows if row["key"] == key)
    return f"/stores/{row['store_id']}/sessions/{row['ref']}/"


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def test_fields_are_explained_and_linkable(small_state: Path, viewer_client: Client) -> None:
    text = text_of(viewer_client, address(viewer_client, ADA))
    assert 'id="field-updatedAt"' in text
    assert 'href="#field-updatedAt"' in text
    assert "Last activity of this entry" in text
    assert "2026-09-21 14:13:23.000 UTC" in text


def test_exact_times_follow_the_choice_of_zone(small_state: Path, viewer_client: Client) -> None:
    path = address(viewer_client, ADA)
    chosen = {"times": "local", "zone": "Asia/Tokyo", "next": path}
    assert viewer_client.post("/preferences/", chosen)["Location"] == path
    assert "2026-09-21 23:13:23.000 JST" in text_of(viewer_client, path)


def test_unknown_fields_and_odd_values_are_shown_and_said(
    small_state: Path, viewer_client: Client
) -> None:
    store = open_store(small_state / "agents" / "main" / "sessions")
    store.patch(ADA, {"brandNew": {"a": 1}, "thinkingLevel": 5, "startedAt": "yesterday"})
    text = text_of(viewer_client, address(viewer_client, ADA))
    assert "brandNew" in text
    assert "Not known to this version" in text
    assert text.count("not the kind of value expected here") == 2


def test_a_session_that_another_names_is_a_link(small_state: Path, viewer_client: Client) -> None:
    store = open_store(small_state / "agents" / "main" / "sessions")
    store.put("agent:main:subagent:1", {"sessionId": "s", "spawnedBy": ADA})
    text = text_of(viewer_client, address(viewer_client, "agent:main:subagent:1"))
    assert f'href="{address(viewer_client, ADA)}"' in text


def test_file_tab_shows_the_file_and_the_transcript(
    small_state: Path, viewer_client: Client
) -> None:
    transcript = small_state / "agents" / "main" / "sessions" / "id-ada.jsonl"
    transcript.write_text("secret words\n")
    text = text_of(viewer_client, address(viewer_client, ADA) + "?tab=file")
    assert "agent%3Amain%3Atelegram%3Adirect%3Aada.json" in text
    assert "0600" in text
    assert "agents/main/sessions/id-ada.jsonl" in text
    assert str(transcript) not in text  # the page says what lies below the state directory
    assert "13 bytes" in text
    assert "secret words" not in text


@pytest.mark.parametrize("named", ["/etc/passwd", "../../../../etc/passwd", "x\0y"])
def test_a_transcript_path_outside_is_not_followed(
    named: str, small_state: Path, viewer_client: Client
) -> None:
    store = open_store(small_state / "agents" / "main" / "sessions")
    store.patch(ADA, {"sessionFile": named})
    answer = viewer_client.get(address(viewer_client, ADA)[:-1] + ".json").json()
    assert answer["transcript"]["path"].endswith("agents/main/sessions/id-ada.jsonl")
    assert "not followed" in answer["transcript"]["refused"]


def test_a_held_lock_is_shown_with_its_holder(small_state: Path, viewer_client: Client) -> None:
    store = open_store(small_state / "agents" / "main" / "sessions")
    path = address(viewer_client, ADA) + "?tab=locks"
    seen: list[str] = []
    store.update(ADA, lambda _entry: seen.append(text_of(viewer_client, path)))
    assert "session lock" in seen[0]
    assert "held, alive" in seen[0]


def test_a_deleted_session_is_not_found_with_a_next_step(
    small_state: Path, viewer_client: Client
) -> None:
    path = address(viewer_client, ADA)
    open_store(small_state / "agents" / "main" / "sessions").delete(ADA)
    answer = viewer_client.get(path)
    assert answer.status_code == 404
    assert "has been deleted since" in answer.content.decode()
    assert viewer_client.get(path[:-1] + ".json").status_code == 404


def test_an_id_of_nothing_is_not_found(small_state: Path, viewer_client: Client) -> None:
    path = address(viewer_client, ADA).split("/sessions/")[0] + "/sessions/aaaaaaaaaaaaaaaa/"
    assert viewer_client.get(path).status_code == 404


def test_a_field_alone_is_json(small_state: Path, viewer_client: Client) -> None:
    path = address(viewer_client, ADA)[:-1] + ".json"
    assert viewer_client.get(path + "?field=label").json() == "Ada"
    assert viewer_client.get(path + "?field=nothing").status_code == 404


def test_damage_shows_where_parsing_stopped_and_masks_the_rest(
    hostile_state: Path, viewer_client: Client
) -> None:
    text = text_of(viewer_client, address(viewer_client, "agent:main:explicit:damaged"))
    assert "parsing stops here" in text
    assert "&lt;script&gt;" in text
    assert "hunter2" not in text


def hostile_addresses(client: Client) -> list[str]:
    rows = client.get("/sessions.json?machine=yes").json()["sessions"]
    return [f"/stores/{row['store_id']}/sessions/{row['ref']}/" for row in rows]


@pytest.mark.parametrize("tab", ["fields", "json", "file", "locks", "problems"])
def test_hostile_entries_are_text_on_every_tab(
    tab: str, hostile_state: Path, viewer_client: Client
) -> None:
    found = hostile_addresses(viewer_client)
    assert len(found) == 9
    for path in found:
        text = text_of(viewer_client, f"{path}?tab={tab}")
        assert MARKUP not in text
        assert SECRET not in text
        assert "plain-words" not in text
        assert len(text) < 600_000


def test_hostile_entries_are_masked_json(hostile_state: Path, viewer_client: Client) -> None:
    for path in hostile_addresses(viewer_client):
        answer = viewer_client.get(path[:-1] + ".json")
        assert SECRET not in answer.content.decode()
        json.loads(answer.content)


def test_lone_surrogates_and_long_numbers_are_shown(
    small_state: Path, viewer_client: Client
) -> None:
    odd: dict[str, Any] = {"sessionId": "o", "label": "\ud800x", "big": 10**400, "inf": 1e999}
    directory = small_state / "agents" / "main" / "sessions" / "sessions.d"
    (directory / "agent%3Amain%3Aexplicit%3Aodd.json").write_text(json.dumps(odd))
    path = address(viewer_client, "agent:main:explicit:odd")
    for tab in ("fields", "json"):
        assert "big" in text_of(viewer_client, f"{path}?tab={tab}")
    assert viewer_client.get(path[:-1] + ".json").status_code == 200
