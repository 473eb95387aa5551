"""The flow that the form and the raw JSON share: open, check, save, and what can come between."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from dashboard import recent
from dashboard.requests import ConsoleRequest
from dashboard.services.change_problems import InvalidFieldsError, OverlapError, VanishedError
from dashboard.services.edit_conflicts import conflicts_of, from_now, settled
from dashboard.services.edit_form import Wanted, made_again
from dashboard.services.edit_kinds import TEXT, Editor
from dashboard.services.edit_look import Look, look_at, look_to_change
from dashboard.services.edit_opened import NotThisFormError, Opened, read_signed, signed
from dashboard.services.edit_preview import Preview, field_errors, moved_since, preview_of
from dashboard.services.edit_saving import Request
from dashboard.services.json_text import JsonTextError
from dashboard.services.problems import Problem, ProblemError

from .edit_attempts import Step, attempt
from .edit_refusals import Notice, gone, impossible, refuse_when_read_only

_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Page:
    """One edit page: the session as it is now, what the form showed, what was typed."""

    request: ConsoleRequest
    editor: Editor
    look: Look
    opened: Opened
    posted: Mapping[str, str]

    @property
    def reason(self) -> str:
        return self.posted.get("reason", "").strip()[:_LONGEST_REASON]

    @property
    def address(self) -> str:
        return reverse(self.editor.name, args=[self.look.store_id, self.look.ref])

    def carried(self) -> dict[str, str]:
        """The whole form, for pages in between."""
        return {
            **self.editor.carried(self.posted),
            "opened": signed(self.opened),
            "reason": self.reason,
        }

    def step(self) -> Step:
        return Step(self.look.row, self.look.store_name, self.address, _("Edit"), self.carried())


def open_page(request: ConsoleRequest, editor: Editor, store_id: str, ref: str) -> HttpResponse:
    """Show a session to be edited."""
    refuse_when_read_only()
    look = look_to_change(store_id, ref)
    if look.is_damaged:
        return impossible(request, look)
    if look.entry is None:
        raise gone()
    opened, form = editor.open(look, user_id=request.user.pk)
    return show(Page(request, editor, look, opened, form), fresh=True)


def answer(request: ConsoleRequest, editor: Editor, store_id: str, ref: str) -> HttpResponse:
    """Check or save a posted form."""
    posted = {name: text for name, text in request.POST.items() if isinstance(text, str)}
    if request.htmx and posted.get("do") != "wait":
        posted["do"] = "check"  # a part of a page never saves: htmx may send the last button along
    try:
        opened = read_signed(
            posted.get("opened", ""), store_id=store_id, ref=ref, user_id=request.user.pk
        )
    except NotThisFormError as refused:
        return _opened_anew(request, editor, store_id, ref, posted, str(refused))
    look = look_to_change(store_id, ref, key=opened.key)
    if look.is_damaged:
        return impossible(request, look)
    seen_first = opened
    if look.entry is None and posted.get("create") == "yes":
        opened = replace(opened, seen={}, kept=frozenset(), creates=True)
    opened, posted = settled(editor, opened, posted, look.entry or {})
    page = Page(request, editor, look, opened, posted)
    try:
        wanted = editor.wanted(opened, posted, now_ms=time.time_ns() // 1_000_000)
    except JsonTextError as mistake:
        return show(page, mistake=mistake, status=200 if _only_checks(posted) else 422)
    if opened.creates:
        wanted = made_again(seen_first, posted, wanted)
    if _only_checks(posted):
        return show(page, preview=preview_of(look, wanted))
    return _save(page, wanted)


def _only_checks(posted: Mapping[str, str]) -> bool:
    return posted.get("do", "check") == "check"


def _save(page: Page, wanted: Wanted) -> HttpResponse:
    if wanted.errors:
        return _invalid(page, wanted, dict(wanted.errors))
    if not wanted.typed and page.look.entry is not None:
        said = Notice("info", _("No change"), _("Nothing differs, so nothing was written."))
        return show(page, preview=preview_of(page.look, wanted), notice=said)
    if page.editor is TEXT and (refusal := recent.confirmed(page.request)):
        return show(page, preview=preview_of(page.look, wanted), confirm_error=refusal, status=422)
    look = page.look
    asked = Request(look.store_id, look.ref, look.key, wanted, reason=page.reason)
    try:
        return attempt(page.request, page.step(), asked, page.posted)
    except OverlapError as error:
        return _conflict(page, wanted, error)
    except VanishedError as error:
        return _vanished(page, wanted, error.problem)
    except InvalidFieldsError as error:
        return _invalid(page, wanted, error.errors)
    except ProblemError as error:
        told = error.problem
        notice = Notice("bad", told.title, told.detail, told.hint)
        return show(page, notice=notice, status=told.status)


def show(
    page: Page,
    *,
    preview: Preview | None = None,
    errors: Mapping[str, str] | None = None,
    mistake: JsonTextError | None = None,
    notice: Notice | None = None,
    confirm_error: str = "",
    fresh: bool = False,
    status: int = 200,
) -> HttpResponse:
    """The edit page with all that was typed; for htmx only the part beside the form."""
    request, look = page.request, page.look
    context: dict[str, Any] = {
        "row": look.row,
        "look": look,
        "address": page.address,
        "preview": preview,
        "errors": errors or {},
        "mistake": mistake,
        "notice": notice,
        "confirm_error": confirm_error,
        "reason": page.reason,
    }
    if getattr(request, "htmx", False) and _only_checks(page.posted):
        return render(request, "_edit_preview.html", context, status=status)
    asked = request.GET.get("field", "") if fresh else ""
    posted = {} if fresh and page.editor is not TEXT else page.posted
    context |= {"opened": signed(page.opened), "is_text": page.editor is TEXT}
    context |= page.editor.context(look, page.opened, posted, errors or {}, asked)
    return render(request, page.editor.template, context, status=status)


def _opened_anew(
    request: ConsoleRequest,
    editor: Editor,
    store_id: str,
    ref: str,
    posted: Mapping[str, str],
    why: str,
) -> HttpResponse:
    """Keep what was typed, compared with the session as it is now."""
    look = look_to_change(store_id, ref)
    if look.is_damaged:
        return impossible(request, look)
    opened, form = editor.open(look, user_id=request.user.pk)
    page = Page(request, editor, look, opened, {**form, **posted, "do": "anew"})
    said = _("Nothing was saved. What you typed is still here, now beside the session as it is.")
    notice = Notice("watch", why, said, _("Look at the difference, then save."))
    try:
        wanted = editor.wanted(opened, page.posted, now_ms=time.time_ns() // 1_000_000)
    except JsonTextError as mistake:
        return show(page, mistake=mistake, notice=notice, status=409)
    return show(page, preview=preview_of(look, wanted), notice=notice, status=409)


def _invalid(page: Page, wanted: Wanted, errors: Mapping[str, str]) -> HttpResponse:
    preview = preview_of(page.look, wanted)
    told = replace(preview, errors=field_errors(wanted, errors), steps=())
    return show(page, preview=told, errors=errors, status=422)


def _conflict(page: Page, wanted: Wanted, error: OverlapError) -> HttpResponse:
    opened = from_now(page.opened, error.overlaps)
    conflicts = conflicts_of(error.overlaps)
    overlapping = {overlap.name for overlap in error.overlaps}
    rest = replace(wanted, typed=tuple(t for t in wanted.typed if t.name not in overlapping))
    fresh = look_at(page.look.store_id, page.look.ref, key=page.look.key)
    context = replace(page, opened=opened).step().context() | {
        "conflicts": conflicts,
        "asked": " ".join(conflict.digest for conflict in conflicts),
        "merged": preview_of(fresh, rest).lines,
        "moved": moved_since(wanted, fresh.entry or {}),
        "do": page.posted.get("do", "save"),
    }
    return render(page.request, "edit_conflict.html", context, status=409)


def _vanished(page: Page, wanted: Wanted, told: Problem) -> HttpResponse:
    context = page.step().context() | {
        "problem": told,
        "lines": preview_of(page.look, wanted).lines,
        "do": page.posted.get("do", "save"),
    }
    return render(page.request, "edit_vanished.html", context, status=409)
