"""The audit log: who did what, from where and why, and whether the record is whole."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from dashboard import audit_checks, audit_export, audit_listing
from dashboard.audit_chain import Check
from dashboard.audit_event import find_event
from dashboard.audit_filters import Asked, AuditFilters, actions
from dashboard.audit_pages import page_of
from dashboard.audit_pairs import rows_of
from dashboard.preferences import preferences_of
from dashboard.roles import allowed_when_read_only, role_required
from dashboard.services.problems import not_there

from .answers import page_or_part, tells_problems


@require_safe
@role_required("admin")
@tells_problems
def audit(request: HttpRequest) -> HttpResponseBase:
    """Show one page of the log; HTMX gets the list without its form."""
    form, asked = asked_of(request)
    page = page_of(asked)
    link = audit_listing.link_of(form, request.GET)
    links = audit_listing.links(link, page)
    context = {
        "form": form,
        "page": page,
        "rows": rows_of(page.events),
        "links": links,
        "chips": audit_listing.chips(form, link),
        "notes": audit_listing.notes(form),
        "field_errors": list(audit_listing.errors(form)),
        "actions": actions(),
        "most_exported": audit_export.MOST,
        "chain": audit_checks.chain_state(),
    }
    response = page_or_part(request, "audit.html", "_audit_view.html", context)
    if request.headers.get("HX-Trigger") == "filters":
        # The form sends empty fields too; the address names what differs.
        response.headers["HX-Replace-Url"] = links["self"]
    return response


def asked_of(request: HttpRequest) -> tuple[AuditFilters, Asked]:
    """Read the address: the form, and what it asks for."""
    form = AuditFilters(request.GET, zone=preferences_of(request).shown_zone)
    return form, form.asked()


@require_safe
@role_required("admin")
@tells_problems
def audit_event(request: HttpRequest, sequence: int) -> HttpResponseBase:
    """Show one event with all that was written down."""
    found = find_event(sequence)
    if found is None:
        raise not_there(
            _("There is no audit event of that number."),
            _("Open the log; if its check names the number, an event was removed."),
        )
    context = {"event": found, "row": found.row}
    return page_or_part(request, "audit_event.html", "_audit_event.html", context)


@require_POST
@role_required("admin")
@allowed_when_read_only
@tells_problems
def audit_verify(request: HttpRequest) -> HttpResponseBase:
    """Check the chain for about a second; HTMX asks for the next part by itself."""
    check = audit_checks.next_part(request.POST.get("state", ""))
    if not check.finished:
        return page_or_part(request, "audit_check.html", "_audit_chain.html", _running(check))
    chain = audit_checks.result_of(request, check)
    if getattr(request, "htmx", False) or chain.event is None:
        return page_or_part(request, "audit_check.html", "_audit_chain.html", {"chain": chain})
    if check.broken:
        messages.error(request, _told_broken(check.broken))
    else:
        messages.success(request, _("The chain is unbroken. Every event was read and compared."))
    return redirect("audit")


def _running(check: Check) -> dict[str, object]:
    return {
        "check": check,
        "state": audit_checks.dumped(check),
        "chain": audit_checks.chain_state(),
    }


def _told_broken(count: int) -> str:
    sentence = ngettext(
        "The chain is broken in %d place.", "The chain is broken in %d places.", count
    )
    return sentence % count
