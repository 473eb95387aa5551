"""One store's migration in six steps, and the undoing of one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard import recent
from dashboard.forms_migration import MigrateForm, ReasonForm, UndoMigrationForm
from dashboard.jobs import looks
from dashboard.links import Link
from dashboard.list_words import neighbours
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.migration_mirrors import mirror_of
from dashboard.services.migration_pages import MigrationPage, migration_page
from dashboard.services.migration_words import MIGRATE, ROLLBACK

from .answers import STOP_POLLING, page_or_part, tells_problems

_EVERY_S = 2


@require_safe
@role_required("viewer")
@tells_problems
def store_migration(request: ConsoleRequest, store_id: str, kind: str) -> HttpResponseBase:
    """Show where a store is in the six steps, or what undoing would move back.

    Its live part follows a job to its end.
    """
    return page_of(request, store_id, kind)


def page_of(
    request: ConsoleRequest,
    store_id: str,
    kind: str,
    *,
    form: MigrateForm | UndoMigrationForm | None = None,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page as it is now, with what somebody had typed where it was refused."""
    number = request.GET.get("page", "")[:7]
    seen = migration_page(
        store_id,
        kind,
        action=request.GET.get("action", "")[:20],
        page=int(number) if number.isdecimal() else 1,
    )
    context = {
        "seen": seen,
        "form": form or _new_form(seen),
        "reason_form": ReasonForm(),
        "mirror_form": ReasonForm(),
        "may_check": includes(request.role, "operator") and not settings.READ_ONLY,
        "may_run": includes(request.role, "admin") and not settings.READ_ONLY,
        "mirror": mirror_of(store_id) if kind == MIGRATE else None,
        "recent": recent.is_recent(request),
        **_links(seen),
        **(extra or {}),
    }
    return _answer(request, seen, context, status=status)


def _answer(
    request: ConsoleRequest, seen: MigrationPage, context: dict[str, Any], *, status: int
) -> HttpResponse:
    """The page or its live part; to a look that finds nothing new only the bar."""
    last = looks.look_of(request)
    look = looks.next_look(last, every_s=_EVERY_S, stamp=seen.stamp, said=seen.milestone)
    is_news = last is not None and last.said != look.said
    context |= {"look": look, "announcement": seen.announcement if is_news else ""}
    if last is None:
        return page_or_part(
            request, "migration.html", "_migration_live.html", context, status=status
        )
    is_over = seen.job is None or look.is_over
    if last.stamp != look.stamp or is_over:
        return render(
            request, "_migration_live.html", context, status=STOP_POLLING if is_over else 200
        )
    response = render(request, "_migration_bar.html", context)
    response.headers["HX-Retarget"] = "#migration-bar"
    return response


def _new_form(seen: MigrationPage) -> MigrateForm | UndoMigrationForm:
    if seen.kind == ROLLBACK:
        return UndoMigrationForm(expected=seen.store.name)
    summary = seen.preview.summary if seen.preview else {}
    return MigrateForm(
        must_choose=bool(summary.get("must_choose")), guard_first=bool(summary.get("openclaw"))
    )


def _links(seen: MigrationPage) -> dict[str, Any]:
    name = "store_migration" if seen.kind == MIGRATE else "store_rollback"
    link = Link(
        reverse(name, args=[seen.store.id]), (("action", seen.action),) if seen.action else ()
    )
    rows = link.drop("page")
    return {
        "tabs": [
            {
                "value": value or "all",
                "label": word,
                "count": count,
                "url": str(link.set("action", value or None)),
                "is_current": value == seen.action,
            }
            for value, word, count in seen.tabs
        ],
        "links": {
            "self": str(link.page(seen.page)),
            "json": str(rows.at(reverse(f"{name}_json", args=[seen.store.id]))),
            "csv": str(rows.at(reverse(f"{name}_csv", args=[seen.store.id]))),
            "check": reverse(f"{name}_check", args=[seen.store.id]),
            "run": reverse(f"{name}_run", args=[seen.store.id]),
            **neighbours(link, seen.page, seen.pages),
        },
    }
