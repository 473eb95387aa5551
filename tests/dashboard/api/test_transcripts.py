"""Conversations by the API: with a token that may, masked, on record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboard.models import AuditEvent
from sessionstore.store import Store
from tests.dashboard.transcripts.conftest import message

from .conftest import KEY, SECRET, Program

pytestmark = pytest.mark.django_db


@pytest.fixture
def transcript(store: Store) -> Path:
    """A conversation of the session with a secret in it."""
    entry = store.get(KEY)
    assert entry is not None
    path = store.path.with_name(f"{entry['sessionId']}.jsonl")
    lines: list[Any] = [message(1, f"my key is {SECRET}"), message(2, "left")]
    lines.append({**message(3, "kept"), "parentId": "m1"})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_part_is_read_and_written_down(operator: Program, ada: str, transcript: Path) -> None:
    told = operator.post(f"{ada}/transcript/read", {"reason": "to compare"}).json()
    assert [line["parts"][0]["text"] for line in told["lines"]] == ["my key is [masked]", "kept"]
    assert (told["branch"], told["left_behind"], told["older"]) == ("tree", 1, None)
    events = list(AuditEvent.objects.filter(action="transcript.read").order_by("sequence"))
    assert [event.outcome for event in events] == ["started", "done"]
    assert {event.reason for event in events} == {"to compare"}
    assert told["event"] == events[1].sequence
    assert json.loads(events[1].details)["via"].startswith("api ")


def test_all_lines_and_offsets_are_obeyed(operator: Program, ada: str, transcript: Path) -> None:
    told = operator.post(f"{ada}/transcript/read", {"all_lines": True}).json()
    assert [line["id"] for line in told["lines"]] == ["m1", "m2", "m3"]
    before = told["lines"][1]["start"]
    told = operator.post(f"{ada}/transcript/read", {"before": before, "all_lines": True}).json()
    assert [line["id"] for line in told["lines"]] == ["m1"]


@pytest.mark.parametrize("body", [{"before": -1}, {"file": "../x"}, {"after": "1"}, {"x": 1}])
def test_what_is_not_valid_is_refused(
    operator: Program, ada: str, transcript: Path, body: dict[str, Any]
) -> None:
    assert operator.post(f"{ada}/transcript/read", body).status_code == 422
    assert not AuditEvent.objects.filter(action="transcript.read").exists()


def test_a_viewers_token_reads_nothing(viewer: Program, ada: str, transcript: Path) -> None:
    answer = viewer.post(f"{ada}/transcript/read", {})
    assert answer.status_code == 403
    assert "kept" not in answer.text


def test_the_setting_is_obeyed(
    operator: Program, ada: str, transcript: Path, settings: Any
) -> None:
    settings.TRANSCRIPTS = "admin"
    answer = operator.post(f"{ada}/transcript/read", {})
    assert answer.status_code == 403
    assert "SESSIONSTORE_TRANSCRIPTS" in answer.text
    assert AuditEvent.objects.get(action="transcript.read").outcome == "refused"


def test_there_is_no_reading_by_get(operator: Program, ada: str, transcript: Path) -> None:
    assert operator.get(f"{ada}/transcript/read").status_code == 405


def test_it_works_in_read_only_mode(
    operator: Program, ada: str, transcript: Path, settings: Any
) -> None:
    settings.READ_ONLY = True
    assert operator.post(f"{ada}/transcript/read", {}).status_code == 200
