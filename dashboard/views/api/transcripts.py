"""Conversations, for programs: read out page by page, on record as on the pages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse

from dashboard.api.answers import answer
from dashboard.api.operations import Call, operation
from dashboard.services.transcript_files import CURRENT
from dashboard.services.transcript_lines import ShownLine
from dashboard.services.transcript_reading import Wanted, read_conversation
from dashboard.twins import iso

_PAGE_FIELDS = (
    *("file_name", "start", "end", "size_bytes", "older", "newer", "branch", "total_lines"),
    *("left_behind", "forks", "is_broken", "event"),
)
_LINE_FIELDS = ("start", "size_bytes", "state", "title", "id", "problem")


@operation(
    "readTranscript",
    "Read a part of a session's transcript",
    description="The newest lines, or those that end by byte `before` or begin at byte `after`; "
    "`older` and `newer` of the answer are the offsets of the parts beside it. Texts are masked "
    "and cut. A POST, since each reading is written to the audit first. `SESSIONSTORE_TRANSCRIPTS` "
    "says who may.",
    role="operator",
    answer="Conversation",
    group="Sessions",
    body="ReadTranscript",
    problems=("not_found",),
)
def read(call: Call, store_id: str, ref: str) -> HttpResponse:
    """One page of the conversation, masked."""
    wanted = Wanted(
        before=call.body.get("before"),
        after=None if "before" in call.body else call.body.get("after"),
        file=call.body.get("file", CURRENT),
        all_lines=call.body.get("all_lines", False),
    )
    page = read_conversation(call.actor, store_id, ref, wanted, reason=call.reason)
    told: dict[str, Any] = {name: getattr(page, name) for name in _PAGE_FIELDS}
    return answer(told | {"lines": [_line(line) for line in page.lines]})


def _line(line: ShownLine) -> dict[str, Any]:
    return {
        **{name: getattr(line, name) for name in _LINE_FIELDS},
        "at": iso(line.at_ms),
        "parts": [asdict(part) for part in line.parts],
        "facts": [{"name": name, "value": value} for name, value in line.facts],
    }
