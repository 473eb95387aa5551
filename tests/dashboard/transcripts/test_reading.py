"""Reading a conversation: who may, what is written down and when, what is shown and what is not."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client

from dashboard.models import AuditEvent
from dashboard.services import transcript_reading
from sessionstore.store import open_store
from tests.conftest import client_for
from tests.dashboard.persons import limit

from .conftest import KEY, SID, Write, message, read, session_address

pytestmark = pytest.mark.django_db

WORDS = "zebra crossing"


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action="transcript.read").order_by("sequence"))


def details(event: AuditEvent) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(event.details)
    return told


def texts(answer: Any) -> list[str]:
    assert answer.status_code == 200
    found = re.findall(r'<pre class="transcript-text">(.*?)</pre>', answer.text, re.DOTALL)
    return [html.unescape(text) for text in found]


# --- Who may -------------------------------------------------------------------------------------


def test_an_operator_reads_on_a_click(write: Write, operator_client: Client) -> None:
    write([message(1, WORDS), message(2, "and back", role="assistant")])
    answer = read(operator_client)
    assert texts(answer) == [WORDS, "and back"]
    assert answer["Cache-Control"] == "no-store"
    assert WORDS not in operator_client.get(f"{session_address(operator_client)}transcript/").text


def test_a_viewer_reads_nothing(write: Write, viewer_client: Client) -> None:
    write([message(1, WORDS)])
    answer = read(viewer_client)
    assert answer.status_code == 403
    assert WORDS not in answer.text


@pytest.mark.parametrize(
    ("setting", "role", "allowed"),
    [
        ("off", "admin", False),
        ("off", "operator", False),
        ("admin", "operator", False),
        ("admin", "admin", True),
        ("operator", "operator", True),
    ],
)
def test_the_setting_says_who_may(
    write: Write,
    settings: Any,
    operator_client: Client,
    admin_client: Client,
    setting: str,
    role: str,
    allowed: bool,
) -> None:
    write([message(1, WORDS)])
    settings.TRANSCRIPTS = setting
    answer = read(admin_client if role == "admin" else operator_client)
    assert (answer.status_code, WORDS in answer.text) == ((200, True) if allowed else (403, False))
    assert allowed or "SESSIONSTORE_TRANSCRIPTS" in answer.text
    outcomes = [event.outcome for event in events()]
    assert outcomes == (["started", "done"] if allowed else ["refused"])


def test_a_session_outside_the_scope_is_not_there(write: Write, bob: User) -> None:
    write([message(1, WORDS)])
    client = client_for(bob)
    address = f"{session_address(client)}transcript/"
    limit(bob, "work")
    answer = client_for(bob).post(address)
    assert answer.status_code == 404
    assert WORDS not in answer.text
    assert events() == []


def test_the_file_of_an_agent_outside_the_scope_is_not_read(folder: Path, bob: User) -> None:
    other = folder.parents[1] / "work" / "sessions" / "s-9.jsonl"
    other.parent.mkdir(parents=True)
    other.write_text(json.dumps(message(1, WORDS)) + "\n")
    open_store(folder).patch(KEY, {"sessionFile": str(other)})
    assert texts(read(client_for(bob))) == [WORDS]
    limit(bob, "main")
    answer = read(client_for(bob))
    assert answer.status_code == 404
    assert WORDS not in answer.text


def test_it_works_in_read_only_mode(write: Write, settings: Any, operator_client: Client) -> None:
    write([message(1, WORDS)])
    settings.READ_ONLY = True
    assert texts(read(operator_client)) == [WORDS]
    assert len(events()) == 2


# --- Written down --------------------------------------------------------------------------------


def test_who_which_session_and_which_part_are_written_down_and_no_text(
    write: Write, operator_client: Client, bob: User
) -> None:
    path = write([message(1, WORDS), message(2, WORDS)])
    store_id = session_address(operator_client).split("/")[2]
    read(operator_client, "?lines=all")
    started, done = events()
    assert (started.outcome, done.outcome) == ("started", "done")
    assert {one.actor for one in (started, done)} == {bob.username}
    assert {one.role for one in (started, done)} == {"operator"}
    about = {
        "store": store_id,
        "agent": "main",
        "key": KEY,
        "file": "current",
        "before": None,
        "after": None,
        "all_lines": True,
        "via": "console",
    }
    assert details(started) == about
    assert details(done) == about | {
        "intent": started.sequence,
        "file": path.name,
        "from_byte": 0,
        "to_byte": path.stat().st_size,
        "lines": 3,
    }
    assert started.target == done.target == f"main: {KEY}"
    assert all(WORDS not in one.details + one.target + one.reason for one in events())


def test_nothing_is_read_when_it_cannot_be_written_down(
    write: Write, operator_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    write([message(1, WORDS)])
    address = f"{session_address(operator_client)}transcript/"
    opened: list[object] = []

    def refuses(*_arguments: object, **_more: object) -> None:
        raise DatabaseError("no room")

    def notes(*arguments: object) -> None:
        opened.append(arguments)

    monkeypatch.setattr("dashboard.audit.record", refuses)
    monkeypatch.setattr(transcript_reading, "path_of", notes)
    operator_client.raise_request_exception = False
    answer = operator_client.post(address)
    assert answer.status_code == 500
    assert WORDS not in answer.text
    assert opened == []


def test_a_reading_that_fails_is_written_down_as_failed(
    folder: Path, operator_client: Client
) -> None:
    answer = read(operator_client)
    assert answer.status_code == 404
    assert "The transcript is gone" in answer.text
    started, failed = events()
    assert (failed.outcome, details(failed)["intent"]) == ("failed", started.sequence)


def test_every_part_is_its_own_event(write: Write, operator_client: Client) -> None:
    write([message(number) for number in range(1, 121)])
    first = read(operator_client)
    (older,) = set(re.findall(r'action="[^"]*(\?before=\d+)"', first.text))
    read(operator_client, older)
    parts = [details(one) for one in events() if one.outcome == "done"]
    assert len(parts) == 2
    assert parts[1]["to_byte"] == parts[0]["from_byte"] == parts[1]["before"]


# --- What is shown -------------------------------------------------------------------------------


def test_pages_lead_from_the_newest_to_the_first_and_back(
    write: Write, operator_client: Client
) -> None:
    write([message(number) for number in range(1, 121)])
    seen: list[str] = []
    query = ""
    while True:
        answer = read(operator_client, query)
        seen = texts(answer) + seen
        found = re.search(r'action="[^"]*(\?before=\d+)"', answer.text)
        if not found:
            break
        query = found[1]
    assert seen == [f"words of line {number}" for number in range(1, 121)]
    newer = re.search(r'action="[^"]*(\?after=\d+)"', answer.text)
    assert newer
    assert texts(read(operator_client, newer[1]))[0].startswith("words of line")


def test_the_address_of_a_part_asks_for_it_again(write: Write, operator_client: Client) -> None:
    write([message(number) for number in range(1, 121)])
    address = f"{session_address(operator_client)}transcript/?before=4000&lines=all"
    page = operator_client.get(address)
    assert "Read this part" in page.text
    assert "lines=all&amp;before=4000" in page.text
    assert "words of line" not in page.text


@pytest.mark.parametrize(
    "query",
    ["?before=-1", "?before=x", "?after=99999999999999999999", "?file=../../x", "?lines=<b>", "?x"],
)
def test_what_is_not_valid_in_the_address_is_left_out(
    write: Write, operator_client: Client, query: str
) -> None:
    write([message(1, WORDS)])
    assert texts(read(operator_client, query)) == [WORDS]


def test_the_active_branch_is_shown_unless_all_lines_are_asked_for(
    write: Write, operator_client: Client
) -> None:
    left = message(2, "left behind")
    write([message(1, "first"), left, {**message(3, "kept"), "parentId": "m1"}])
    answer = read(operator_client)
    assert texts(answer) == ["first", "kept"]
    assert "1 line of the file is not on it" in answer.text
    assert texts(read(operator_client, "?lines=all")) == ["first", "left behind", "kept"]


def test_an_archive_is_read_by_its_id(write: Write, operator_client: Client) -> None:
    write([message(1, "now")])
    archive = f"{SID}.jsonl.reset.2026-11-20T21-36-56.784Z"
    write([message(1, "before the reset")], name=archive)
    page = operator_client.get(f"{session_address(operator_client)}?tab=transcript").text
    ids = re.findall(r'transcript/\?file=([0-9a-f]{16})"', page)
    shown = [texts(read(operator_client, f"?file={one}")) for one in ids]
    assert sorted(shown) == [["before the reset"], ["now"]]
    assert archive in {details(one)["file"] for one in events()}
    assert read(operator_client, f"?file={'0' * 16}").status_code == 404


def test_the_conversation_before_a_reset_is_found_and_read(
    folder: Path, write: Write, operator_client: Client
) -> None:
    old = "0b4d8445-13d2-4ae9-a9d4-2152371df213"
    with open_store(folder) as store:
        store.put(KEY, {"sessionId": old, "updatedAt": 1_790_000_000_000})
        store.reset(KEY, session_id=SID)
    write([message(1, "before the reset")], name=f"{old}.jsonl.reset.2026-11-20T21-36-56.784Z")
    page = operator_client.get(f"{session_address(operator_client)}?tab=transcript").text
    assert "earlier conversation" in page
    (one,) = re.findall(r'transcript/\?file=([0-9a-f]{16})"', page)
    assert texts(read(operator_client, f"?file={one}")) == ["before the reset"]


def test_ids_that_the_gateway_names_are_looked_for_whatever_they_are(
    folder: Path, write: Write, operator_client: Client
) -> None:
    family: list[Any] = ["old-1", "../../etc", "", 5, None, {"a": 1}, "a.*", "x" * 500]
    open_store(folder).patch(KEY, {"usageFamilySessionIds": family})
    write([message(1, WORDS)], name="old-1.jsonl.deleted.2026-11-20T21-36-56.784Z")
    write([message(1, "theirs")], name="another.jsonl")
    page = operator_client.get(f"{session_address(operator_client)}?tab=transcript").text
    assert "old-1.jsonl.deleted" in page
    assert "another.jsonl" not in page


def test_a_damaged_line_is_told_with_its_place_and_not_shown(
    write: Write, operator_client: Client
) -> None:
    write([message(1, WORDS), b'{"type": "message", "password": "HIDDENVALUE'])
    answer = read(operator_client, "?lines=all")
    assert "Damaged line, not shown" in answer.text
    assert "HIDDENVALUE" not in answer.text
    assert WORDS in answer.text


def test_every_kind_of_line_has_words(write: Write, operator_client: Client) -> None:
    blocks = [
        {"type": "thinking", "thinking": "hmm"},
        {"type": "text", "text": "I look"},
        {"type": "toolCall", "id": "t", "name": "bash", "arguments": {"command": "ls"}},
        {"type": "image", "mimeType": "image/png", "data": "QUJD" * 100},
        {"type": "new kind", "x": 1},
        "odd",
    ]
    lines: list[Any] = [
        message(1, role="assistant", model="m-1", usage={"totalTokens": 1234}) | {},
        message(2, role="toolResult", toolName="bash", isError=True),
        {"type": "compaction", "id": "c", "parentId": "m2", "summary": "it was long"},
        {"type": "branch_summary", "id": "b", "parentId": "c", "summary": "left"},
        {
            "type": "custom_message",
            "id": "x",
            "parentId": "b",
            "content": "hello",
            "customType": "e",
        },
        {"type": "custom", "id": "y", "parentId": "x", "data": {"a": [1]}, "customType": "e"},
        {"type": "model_change", "id": "z", "parentId": "y", "provider": "p", "modelId": "m-2"},
        {"type": "unheard of", "id": "u", "parentId": "z"},
    ]
    lines[0]["message"]["content"] = blocks
    write(lines)
    answer = read(operator_client)
    assert answer.status_code == 200
    for words in (
        *("Assistant", "Tool result", "Compaction", "Summary of a branch", "Model changed"),
        *("Message of an extension", "State of an extension", "unheard of", "Calls bash"),
        *("hmm", "I look", "Image, not shown", "image/png", "1234", "it was long", "m-2"),
    ):
        assert words in answer.text
    assert "QUJDQUJD" not in answer.text


def test_htmx_gets_the_part_alone(write: Write, operator_client: Client) -> None:
    write([message(1, WORDS)])
    answer = read(operator_client, headers={"HX-Request": "true"})
    assert answer.text.lstrip().startswith('<div id="transcript"')
    assert texts(answer) == [WORDS]


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(write: Write, operator_client: Client, method: str) -> None:
    write([message(1)])
    address = f"{session_address(operator_client)}transcript/"
    assert getattr(operator_client, method)(address).status_code == 405
