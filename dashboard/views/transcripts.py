"""A session's transcript: what it is, and its conversation, read out on a click, on record."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from dashboard import twins
from dashboard.acting import actor_of
from dashboard.forms_transcripts import PartForm
from dashboard.links import Link
from dashboard.requests import ConsoleRequest
from dashboard.roles import allowed_when_read_only, role_required
from dashboard.services.session import Session
from dashboard.services.transcript_files import CURRENT, FileRow
from dashboard.services.transcript_looks import look_at_transcript
from dashboard.services.transcript_reading import (
    COUNT,
    Conversation,
    Wanted,
    may_read,
    read_conversation,
)

from .answers import page_or_part, tells_problems

_FIELDS = ("id", "name", "kind", "size_bytes", "topic", "is_current", "is_earlier", "is_readable")


@require_http_methods(["GET", "HEAD", "POST"])
@allowed_when_read_only
@role_required("operator")
@tells_problems
def session_transcript(request: ConsoleRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Ask before one part of the conversation is shown; show it when the form was sent.

    Reading changes nothing in a store, so it works in read-only mode too.
    """
    wanted = PartForm(request.GET).wanted()
    conversation = None
    if request.method == "POST":
        conversation = read_conversation(actor_of(request), store_id, ref, wanted)
    context = {
        "look": look_at_transcript(store_id, ref),
        "store_id": store_id,
        "ref": ref,
        "conversation": conversation,
        "wanted": wanted,
        "count": COUNT,
        "may_read": may_read(request.role),
        "links": _links(store_id, ref, wanted, conversation),
    }
    return page_or_part(request, "transcript.html", "_transcript.html", context)


@require_safe
@role_required("viewer")
@tells_problems
def transcript_json(request: ConsoleRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Give what the tab shows of the file and the list of a session's files; no conversation."""
    look = look_at_transcript(store_id, ref)
    content = {
        "store_id": store_id,
        "store": look.store_name,
        "key": look.key,
        "transcript": None if look.transcript is None else asdict(look.transcript),
        "header": None if look.head is None else asdict(look.head),
        "problem": look.problem.detail if look.problem else None,
        "files": [_plain_file(row) for row in look.files],
        "files_left_out": look.left_out,
    }
    return twins.json_response("transcript", content)


@require_safe
@role_required("viewer")
@tells_problems
def transcript_csv(request: ConsoleRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Give the list of a session's files as CSV."""
    look = look_at_transcript(store_id, ref)
    rows = ([*_plain_file(row).values()] for row in look.files)
    return twins.csv_response("transcript", [*_FIELDS, "at"], rows)


def transcript_tab(request: ConsoleRequest, found: Session) -> dict[str, Any]:
    """What the tab of one session's transcript shows: never a word of the conversation."""
    row = found.row
    is_known = found.entry is not None
    return {
        "look": look_at_transcript(row.store_id, row.ref) if is_known else None,
        "may_read": may_read(request.role),
        "count": COUNT,
    }


def _links(
    store_id: str, ref: str, wanted: Wanted, conversation: Conversation | None
) -> dict[str, str]:
    here = Link(reverse("session_transcript", args=[store_id, ref]))
    if wanted.file != CURRENT:
        here = here.set("file", wanted.file)
    lines = here.set("lines", "all") if wanted.all_lines else here
    part = lines
    for name in ("before", "after"):
        if (value := getattr(wanted, name)) is not None:
            part = part.set(name, str(value))
    older = None if conversation is None else conversation.older
    newer = None if conversation is None else conversation.newer
    return {
        "self": str(part),
        "newest": str(lines),
        "first": str(lines.set("after", "0")),
        "branch": str(part.drop("lines")),
        "all": str(part.set("lines", "all")),
        "older": "" if older is None else str(lines.set("before", str(older))),
        "newer": "" if newer is None else str(lines.set("after", str(newer))),
    }


def _plain_file(row: FileRow) -> dict[str, Any]:
    return {**{name: getattr(row, name) for name in _FIELDS}, "at": twins.iso(row.at_ms)}
