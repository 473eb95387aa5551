"""What each action would do to one entry: pure, so that a plan shows exactly what is applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sessionstore.editing import ABSENT, FieldEdit
from sessionstore.entries import Entry

from .model_override import follow_ups, followers

OVERRIDE_FIELDS = (
    "providerOverride",
    "modelOverride",
    "modelOverrideSource",
    "modelOverrideFallbackOriginProvider",
    "modelOverrideFallbackOriginModel",
)
"""What pins a session to a model, and who pinned it."""

# The model of the last run; stale once the override is gone (openclaw-format §3.8, ``model``).
_LAST_RUN = ("model", "modelProvider", "liveModelSwitchPending")


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action does to an entry; ``skip`` says why it does nothing."""

    edits: tuple[FieldEdit, ...] = ()
    removes: bool = False
    resets: bool = False
    skip: str = ""


Effects = Callable[[Mapping[str, Any], Entry, int], Effect]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing an operator can do to a session. ``dangerous`` asks for a recent sign-in.

    ``params`` names what it has to be told, ``touches`` the fields that it may change whatever
    that is. ``when_quiet``: skipped when the session became active since it was looked at.
    """

    name: str
    title: str | Promise
    role: str
    effects: Effects
    dangerous: bool = False
    params: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    when_quiet: bool = False


def effect_of(action: str, params: Mapping[str, Any], entry: Entry, *, now_ms: int) -> Effect:
    """What the action would do to this entry.

    Raises:
        KeyError: there is no such action.
    """
    return ACTIONS[action].effects(params, entry, now_ms)


def fields_of(action: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that an action may change, as far as can be told before the entry is read."""
    known = ACTIONS[action]
    if "name" not in known.params:
        return known.touches
    name = str(params["name"])
    return (*known.touches, name, *followers([name]))


def override_origin(entry: Mapping[str, Any]) -> str:
    """Who pinned the model: "user", "auto" (a failover), or "" without an override.

    An override without a source is a person's: only a failover writes one of its own.
    """
    if not any(name in entry for name in ("providerOverride", "modelOverride")):
        return ""
    return "auto" if entry.get("modelOverrideSource") == "auto" else "user"


def _edit(entry: Entry, name: str, value: Any) -> FieldEdit:
    return FieldEdit(name, entry.get(name, ABSENT), value)


def _set(params: Mapping[str, Any], entry: Entry, now_ms: int) -> Effect:
    name, value = params["name"], params["value"]
    if name in entry and entry[name] == value and type(entry[name]) is type(value):
        return Effect(skip=_("It has this value already."))
    return _followed(_edit(entry, name, value), entry)


def _clear(params: Mapping[str, Any], entry: Entry, now_ms: int) -> Effect:
    name = params["name"]
    if name not in entry:
        return Effect(skip=_("The field is not set."))
    return _followed(_edit(entry, name, ABSENT), entry)


def _followed(edit: FieldEdit, entry: Entry) -> Effect:
    return Effect((edit, *follow_ups((edit,), entry)))


def _rename(params: Mapping[str, Any], entry: Entry, now_ms: int) -> Effect:
    label = str(params["label"]).strip()
    if label:
        effect = _set({"name": "label", "value": label}, entry, now_ms)
    else:
        effect = _clear({"name": "label"}, entry, now_ms)
    if "seen" not in params:
        return effect
    # The label that the person saw, in a list that is empty without one: else it is a conflict.
    seen = params["seen"][0] if params["seen"] else ABSENT
    return replace(effect, edits=tuple(replace(edit, opened=seen) for edit in effect.edits))


def _clear_overrides(params: Mapping[str, Any], entry: Entry, now_ms: int) -> Effect:
    origin = override_origin(entry)
    wanted = params.get("origin", "any")
    if not origin:
        return Effect(skip=_("It has no model override."))
    if wanted not in ("any", origin):
        said = _("a person") if origin == "user" else _("a failover")
        return Effect(skip=_("Its override was set by %s.") % said)
    names = [name for name in (*OVERRIDE_FIELDS, *_LAST_RUN) if name in entry]
    return Effect(tuple(_edit(entry, name, ABSENT) for name in names))


def _archive(params: Mapping[str, Any], entry: Entry, now_ms: int) -> Effect:
    if entry.get("archivedAt"):
        return Effect(skip=_("It is archived already."))
    return Effect((_edit(entry, "archivedAt", now_ms),))


def _unarchive(params: Mapping[str, Any], entry: Entry, now_ms: int) -> Effect:
    if "archivedAt" not in entry:
        return Effect(skip=_("It is not archived."))
    return Effect((_edit(entry, "archivedAt", ABSENT),))


def _reset(params: Mapping[str, Any], entry: Entry, now_ms: int) -> Effect:
    return Effect(resets=True)


def _delete(params: Mapping[str, Any], entry: Entry, now_ms: int) -> Effect:
    return Effect(removes=True)


ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        Action(
            "rename", lazy("Rename"), "operator", _rename, params=("label",), touches=("label",)
        ),
        Action(
            "clear_overrides",
            lazy("Clear model override"),
            "operator",
            _clear_overrides,
            params=("origin",),
            touches=(*OVERRIDE_FIELDS, *_LAST_RUN),
        ),
        Action("set_field", lazy("Set a field"), "operator", _set, params=("name", "value")),
        Action("clear_field", lazy("Clear a field"), "operator", _clear, params=("name",)),
        Action(
            "archive",
            lazy("Archive"),
            "operator",
            _archive,
            touches=("archivedAt",),
            when_quiet=True,
        ),
        Action(
            "unarchive",
            lazy("Take out of the archive"),
            "operator",
            _unarchive,
            touches=("archivedAt",),
        ),
        Action("reset", lazy("Reset"), "operator", _reset, when_quiet=True),
        Action("delete", lazy("Delete"), "admin", _delete, dangerous=True, when_quiet=True),
    )
}
"""Every action by its name, in the order of menus."""
