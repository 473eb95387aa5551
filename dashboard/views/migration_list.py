"""Migration: which stores are in an older layout, and what became of the others?"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard import recent
from dashboard.acting import actor_of
from dashboard.forms_migration import MigrateManyForm
from dashboard.jobs import life, looks
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.fleet import LIVE_AGE_S, fleet
from dashboard.services.migration_asking import (
    Choice,
    PreviewMovedError,
    ask_check,
    ask_migration,
)
from dashboard.services.migration_list import list_migrations
from dashboard.services.migration_words import MIGRATE
from dashboard.services.problems import Problem, ProblemError

from .answers import STOP_POLLING, page_or_part, tells_problems

_EVERY_S = 3


@require_safe
@role_required("viewer")
@tells_problems
def migrations(request: ConsoleRequest) -> HttpResponseBase:
    """Show every store; the live part follows what runs."""
    return _page(request)


@require_POST
@role_required("operator")
@tells_problems
def check_all(request: ConsoleRequest) -> HttpResponseBase:
    """Have one job look at every store."""
    readers = list(fleet().refreshed().readers)
    if not readers:
        raise ProblemError(
            Problem(
                _("There is no store to check"),
                _("No store was found that you may see."),
                _("Open the list of agents and stores."),
                404,
            )
        )
    ask_check(actor_of(request), readers, MIGRATE)
    return redirect("migrations")


@require_POST
@role_required("admin")
@tells_problems
def run_many(request: ConsoleRequest) -> HttpResponseBase:
    """Start one job that migrates the stores that were ticked, one after the other."""
    listed = list_migrations(max_age_s=LIVE_AGE_S)
    form = MigrateManyForm(request.POST)
    chosen = [row for row in listed.runnable if row.store.id in form.stores]
    form.must_choose = any(row.must_choose for row in chosen)
    refused = recent.confirmed(request) if form.is_valid() and chosen else ""
    if not form.is_valid() or not chosen or refused:
        extra = {"refused": refused, "is_none_chosen": not chosen}
        return _page(request, form=form, extra=extra, status=422)
    read = form.cleaned_data
    choice = Choice(form.digests, read["guard"], read["understood"], read["reason"])
    readers = [fleet().reader(row.store.id) for row in chosen]
    try:
        job = ask_migration(actor_of(request), readers, choice)
    except PreviewMovedError as error:
        return _page(request, form=form, extra={"moved": error}, status=409)
    return redirect("job", job.pk)


def _page(
    request: ConsoleRequest,
    *,
    form: MigrateManyForm | None = None,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    last = looks.look_of(request)
    listed = list_migrations(max_age_s=LIVE_AGE_S if last else 0.0)
    look = looks.next_look(last, every_s=_EVERY_S, stamp=listed.stamp, said="")
    context = {
        "list": listed,
        "look": look,
        "form": form
        or MigrateManyForm(must_choose=listed.must_choose, guard_first=listed.has_openclaw),
        "may_check": includes(request.role, "operator") and not settings.READ_ONLY,
        "may_run": includes(request.role, "admin") and not settings.READ_ONLY,
        "has_runner": life.is_any_alive(),
        "links": {"self": reverse("migrations")},
        **(extra or {}),
    }
    if last is None:
        part = "_migration_list_live.html"
        return page_or_part(request, "migrations.html", part, context, status=status)
    is_over = not listed.is_busy or look.is_over
    if last.stamp == look.stamp and not is_over:
        response = render(request, "_migration_list_bar.html", context)
        response.headers["HX-Retarget"] = "#migrations-bar"
        return response
    code = STOP_POLLING if is_over else 200
    return render(request, "_migration_list_live.html", context, status=code)
