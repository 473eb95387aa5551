"""What bulk actions and their outcomes are called, in whole sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from .change_records import value_text
from .tree import shown

ORIGIN_WORDS = {
    "any": lazy("every override"),
    "user": lazy("overrides that a person set"),
    "auto": lazy("overrides that a failover left"),
}

BULK_ACTIONS = (
    "archive",
    "unarchive",
    "clear_overrides",
    "set_field",
    "clear_field",
    "delete",
)
"""What can be done to many sessions at once, in the order of the page."""


def title(action: str, params: Mapping[str, Any], count: int) -> str:
    """What a plan and its job are called: ``Archive 37 sessions``."""
    if not action:
        said = ngettext("%(count)s session selected", "%(count)s sessions selected", count)
    elif action == "archive":
        said = ngettext("Archive %(count)s session", "Archive %(count)s sessions", count)
    elif action == "unarchive":
        said = ngettext(
            "Take %(count)s session out of the archive",
            "Take %(count)s sessions out of the archive",
            count,
        )
    elif action == "clear_overrides":
        said = ngettext(
            "Clear the model override of %(count)s session",
            "Clear the model overrides of %(count)s sessions",
            count,
        )
    elif action == "set_field":
        said = ngettext(
            "Set %(name)s of %(count)s session", "Set %(name)s of %(count)s sessions", count
        )
    elif action == "clear_field":
        said = ngettext(
            "Clear %(name)s of %(count)s session", "Clear %(name)s of %(count)s sessions", count
        )
    else:
        said = ngettext("Delete %(count)s session", "Delete %(count)s sessions", count)
    return said % {"count": f"{count:,}", "name": shown(str(params.get("name", "")))[:60]}


def outcome(action: str, changing: int, total: int) -> str:
    """What applying a plan would do, in one sentence."""
    if not changing:
        return _("Nothing would change: every session stays as it is.")
    numbers = {"n": f"{changing:,}", "total": f"{total:,}"}
    if action == "delete":
        said = _("%(n)s of %(total)s sessions will be deleted.")
    elif action == "archive":
        said = _("%(n)s of %(total)s sessions will be archived.")
    elif action == "unarchive":
        said = _("%(n)s of %(total)s sessions will be taken out of the archive.")
    elif action == "clear_overrides":
        said = _("%(n)s of %(total)s sessions will go back to their agent's model.")
    else:
        said = _("%(n)s of %(total)s sessions will be changed.")
    return said % numbers


def told_params(action: str, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the action was told, masked, as label and value."""
    if action == "clear_overrides":
        return [(_("Clears"), str(ORIGIN_WORDS[params.get("origin", "any")]))]
    if action == "set_field":
        name = str(params["name"])
        value = value_text(params["value"], name=name)
        return [(_("Field"), shown(name)), (_("New value"), value)]
    if action == "clear_field":
        return [(_("Field"), shown(str(params["name"])))]
    return []


def left_alone(count: int) -> str:
    """How many stay as they are, in one sentence; empty when none does."""
    if not count:
        return ""
    said = ngettext("%(n)s stays as it is.", "%(n)s stay as they are.", count)
    return said % {"n": f"{count:,}"}
