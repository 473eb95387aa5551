"""The two ways to edit a session: by form, and for admins as raw JSON. They share one flow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from .edit_form import Posted, Wanted, carried, opened_form, sections_of, wanted_of, with_now
from .edit_json import entry_text, kept_of, text_with_now, wanted_of_text
from .edit_look import Look
from .edit_opened import Opened, seen_of
from .field_table import FORM_FIELDS, spec_of
from .tree import shown


class Editor(ABC):
    """How a session is edited. ``name`` is that of its address, ``template`` draws its page."""

    name: str
    template: str

    @abstractmethod
    def open(self, look: Look, *, user_id: int | None) -> tuple[Opened, dict[str, str]]:
        """What the page shows of a session as it is now, and its form as if it were posted."""

    @abstractmethod
    def wanted(self, opened: Opened, posted: Posted, *, now_ms: int) -> Wanted:
        """What a posted form asks for.

        Raises:
            JsonTextError: the text is not what it has to be.
        """

    @abstractmethod
    def context(
        self, look: Look, opened: Opened, posted: Posted, errors: Mapping[str, str], asked: str
    ) -> dict[str, Any]:
        """What its template needs besides."""

    @abstractmethod
    def keep_now(
        self, opened: Opened, posted: Posted, name: str, now: Any
    ) -> tuple[Opened, dict[str, str]]:
        """The same form with one field as it is now."""

    @abstractmethod
    def carried(self, posted: Posted) -> dict[str, str]:
        """What of the form goes through the pages in between."""


class ByForm(Editor):
    """The form of known fields."""

    name = "session_edit"
    template = "edit.html"

    def open(self, look: Look, *, user_id: int | None) -> tuple[Opened, dict[str, str]]:
        return opened_form(look, user_id=user_id), {}

    def wanted(self, opened: Opened, posted: Posted, *, now_ms: int) -> Wanted:
        return wanted_of(opened, posted, now_ms=now_ms)

    def context(
        self, look: Look, opened: Opened, posted: Posted, errors: Mapping[str, str], asked: str
    ) -> dict[str, Any]:
        on_form = {spec.name for spec in FORM_FIELDS}
        return {
            "sections": sections_of(opened, posted or None, errors=errors, asked=asked),
            "elsewhere": spec_of(asked) if asked and asked not in on_form else None,
            "asked_name": shown(asked)[:100],
        }

    def keep_now(
        self, opened: Opened, posted: Posted, name: str, now: Any
    ) -> tuple[Opened, dict[str, str]]:
        return opened, with_now(posted, name, seen_of(name, now, place=opened.place))

    def carried(self, posted: Posted) -> dict[str, str]:
        return carried(posted)


class AsText(Editor):
    """The entry as JSON text."""

    name = "session_edit_json"
    template = "edit_json.html"

    def open(self, look: Look, *, user_id: int | None) -> tuple[Opened, dict[str, str]]:
        made = entry_text(look, user_id=user_id)
        return made.opened, {"text": made.text}

    def wanted(self, opened: Opened, posted: Posted, *, now_ms: int) -> Wanted:
        return wanted_of_text(opened, posted.get("text", ""))

    def context(
        self, look: Look, opened: Opened, posted: Posted, errors: Mapping[str, str], asked: str
    ) -> dict[str, Any]:
        return {"text": posted.get("text", ""), "kept": kept_of(look.entry or {}, opened)}

    def keep_now(
        self, opened: Opened, posted: Posted, name: str, now: Any
    ) -> tuple[Opened, dict[str, str]]:
        opened, text = text_with_now(opened, posted.get("text", ""), name, now)
        return opened, {**posted, "text": text}

    def carried(self, posted: Posted) -> dict[str, str]:
        return {"text": posted.get("text", "")}


FORM: Editor = ByForm()
TEXT: Editor = AsText()
