"""One session: what is in it, where it is, and what is wrong with it."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.problems import ProblemError, not_there
from dashboard.services.session import find_session

from .answers import page_or_part, tells_problems
from .edit_results import may_edit, result_context
from .latency_session import writes_tab
from .locks import locks_tab
from .transcripts import transcript_tab
from .versions import versions_of_gone, versions_tab

TABS = (
    "fields",
    "json",
    "file",
    "writes",
    "locks",
    "transcript",
    "versions",
    "history",
    "problems",
)


@require_safe
@role_required("viewer")
@tells_problems
def session(request: ConsoleRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Show one tab of a session; HTMX gets the tab without the page."""
    try:
        found = find_session(store_id, ref)
    except ProblemError as error:
        return versions_of_gone(request, store_id, ref, error)
    asked = request.GET.get("tab")
    usual = "problems" if found.entry is None else "fields"
    tab = asked if asked in TABS else usual
    context = {"session": found, "row": found.row, "tab": tab, "may_edit": may_edit(request)}
    if not request.htmx:
        context |= {"made": result_context(request, store_id, ref)}
    if found.is_only_read and tab in ("writes", "locks", "transcript", "versions"):
        context |= {"is_not_applicable": True}
    elif tab == "versions":
        context |= versions_tab(request, store_id, ref)
    elif tab == "locks":
        context |= locks_tab(found)
    if tab == "transcript" and not found.is_only_read:
        context |= transcript_tab(request, found)
    if tab in ("writes", "locks") and not found.is_only_read:
        context |= writes_tab(request, store_id, ref)
    return page_or_part(request, "session.html", "_session_tab.html", context)


@require_safe
@role_required("viewer")
@tells_problems
def session_json(request: HttpRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Give the masked entry as JSON, or with ``field`` one field's value."""
    found = find_session(store_id, ref)
    field = request.GET.get("field")
    if field is not None:
        if found.entry is None or field not in found.entry:
            raise not_there(f"The session has no field {field[:100]!r}.", "Open the session.")
        return twins.json_response(f"{found.row.title}-{field}", found.entry[field])
    content = {
        "store_id": store_id,
        "store": found.store_name,
        "key": found.row.key,
        "layout": found.layout,
        "etag": found.tag,
        "read_at": twins.iso(found.read_at_ms),
        "entry": found.entry,
        "file": asdict(found.file) if found.file else None,
        "transcript": asdict(found.transcript) if found.transcript else None,
        "problem": found.problem.detail if found.problem else None,
    }
    return twins.json_response(found.row.title, content)
