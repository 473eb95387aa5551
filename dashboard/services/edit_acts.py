"""What an action of its own (rename, reset, delete, …) would do to a session, before it is done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from sessionstore import entries
from sessionstore.editing import ABSENT, edits_between
from sessionstore.entries import Entry
from sessionstore.paths import StorePaths
from sessionstore.transcripts import archivable, find_transcript

from .acting_on import shares_transcript
from .actions import ACTIONS, Action, effect_of, override_origin
from .comparing import Pair, pair
from .edit_controls import shown_value, written
from .edit_look import Look
from .edit_opened import is_masked, seen_of
from .field_table import FIELDS
from .fleet import page_budget_s
from .problems import Problem
from .tree import shown

OWN_PAGES = ("rename", "clear_overrides", "archive", "unarchive", "reset", "delete")
"""Actions that have a page of their own, in the order of the menu."""
_NEW_ID = lazy("(a new id)")
_MOST_NAMES = 60
_ENDS = {"reset": "reset", "delete": "deleted"}  # and how their transcripts are named


@dataclass(frozen=True, slots=True)
class ActPage:
    """What an action would do. ``skip`` says why it would do nothing.

    ``pairs`` are the fields that change, ``kept`` names those that stay where that is of
    interest. ``moves_transcript``: there is one that would be archived. ``label`` is the one there
    now; ``label_note`` says why it is not in the form.
    """

    action: Action
    lead: str
    pairs: tuple[Pair, ...] = ()
    kept: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    moves_transcript: bool = False
    skip: str = ""
    label: str = ""
    label_note: str = ""

    @property
    def ends(self) -> bool:
        """Whether it ends the incarnation, and with it the use of its transcript."""
        return self.action.name in _ENDS


def act_page(look: Look, action: str) -> ActPage:
    """Describe an action on a session as it is now.

    Raises:
        KeyError: there is no such action, or it has no page of its own.
    """
    if action not in OWN_PAGES:
        raise KeyError(action)
    entry = look.entry or {}
    label, note = _label(entry.get("label", ABSENT))
    told, moves = _transcript(look, action) if action in _ENDS else ("", False)
    return ActPage(
        action=ACTIONS[action],
        lead=_leads()[action],
        pairs=tuple(_pairs(look, action)),
        kept=_kept(entry, look.at_ms) if action == "reset" else (),
        sentences=tuple(_sentences(look, action, told)),
        moves_transcript=moves,
        skip="" if action == "rename" else _skip(look, action),
        label=label,
        label_note=note,
    )


def _label(value: Any) -> tuple[str, str]:
    """A label for the form, or empty and why."""
    seen = seen_of("label", value, place="")
    if seen.masked:
        return "", _("It has a label that is masked and not shown here; what you type replaces it.")
    text = written(FIELDS["label"], seen)
    if text is None:
        said = _("Its label is %s, which the field cannot hold; what you type replaces it.")
        return "", said % shown_value(FIELDS["label"], seen)
    return text, ""


def seen_label(look: Look) -> str:
    """The label as a rename saw it, for its form; empty where that is masked."""
    label = (look.entry or {}).get("label", ABSENT)
    if label is ABSENT:
        return "[]"
    is_shown = isinstance(label, str) and not is_masked("label", label)
    return json.dumps([label]) if is_shown else ""


def params_of(action: str, posted: Mapping[str, str]) -> dict[str, Any]:
    """An action's parameters from its form."""
    if action == "rename":
        params: dict[str, Any] = {"label": posted.get("label", "")}
        seen = _read_seen(posted.get("seen", ""))
        return params if seen is None else params | {"seen": seen}
    if action in _ENDS:
        return {"archive_transcript": posted.get("transcript") == "archive"}
    return {"origin": "any"} if action == "clear_overrides" else {}


def _read_seen(text: str) -> list[str] | None:
    try:
        seen = json.loads(text)
    except ValueError:
        return None
    is_seen = isinstance(seen, list) and len(seen) < 2 and all(isinstance(s, str) for s in seen)
    return seen if is_seen else None


def _leads() -> dict[str, str]:
    return {
        "rename": _("Give the session a label, which lists show instead of its key."),
        "clear_overrides": _("The session uses its agent's default model again."),
        "archive": _("The session leaves the gateway's everyday lists. Nothing is removed."),
        "unarchive": _("The session comes back to the gateway's everyday lists."),
        "reset": _("The conversation starts anew under the same key, with a new session id."),
        "delete": _("The session's entry is removed from the store."),
    }


def _pairs(look: Look, action: str) -> Iterator[Pair]:
    entry = look.entry or {}
    if action == "reset":
        after = entries.new_incarnation(entry, session_id=str(_NEW_ID), now_ms=look.at_ms)
        edits = edits_between(entry, after)
    elif action in ("rename", "delete"):
        return
    else:
        edits = effect_of(action, {"origin": "any"}, entry, now_ms=look.at_ms).edits
    for edit in edits:
        yield pair(edit.name, entry.get(edit.name, ABSENT), edit.yours)


def _kept(entry: Entry, now_ms: int) -> tuple[str, ...]:
    after = entries.new_incarnation(entry, session_id=str(_NEW_ID), now_ms=now_ms)
    changed = {edit.name for edit in edits_between(entry, after)}
    names = [shown(name)[:100] for name in entry if name not in changed]
    more = len(names) - _MOST_NAMES
    return (*names[:_MOST_NAMES], *([_("and %d more") % more] if more > 0 else []))


def _skip(look: Look, action: str) -> str:
    if look.entry is None:
        return ""
    return effect_of(action, {"origin": "any"}, look.entry, now_ms=look.at_ms).skip


def _sentences(look: Look, action: str, transcript: str) -> Iterator[str]:
    entry = look.entry or {}
    if action == "clear_overrides" and (origin := override_origin(entry)):
        yield (
            _("The override was left by a failover, when another model could not be used.")
            if origin == "auto"
            else _("The override was set by a person.")
        )
    if action == "reset":
        yield _("The conversation that ends is listed under the session's history.")
    if transcript:
        yield transcript
    if action == "delete":
        count = len(entry)
        yield (
            ngettext(
                "The entry has %d field, all of which go.",
                "The entry has %d fields, all of which go.",
                count,
            )
            % count
            if entry
            else _("What cannot be read goes to quarantine as it is.")
        )
        yield _("A message from the channel makes a new session of the same key.")


def _transcript(look: Look, action: str) -> tuple[str, bool]:
    """What would happen to the transcript, and whether it would be archived if that is wanted."""
    entry = look.entry
    if entry is None:
        return _("Which transcript belongs to it cannot be told; none is touched."), False

    def facts(paths: StorePaths) -> tuple[str | None, bool, bool]:
        found = find_transcript(paths, look.key, entry)
        return archivable(paths, found), found.is_there, found.locked

    told = look.reader.read(facts, budget_s=page_budget_s())
    if isinstance(told, Problem):
        return told.detail, False
    name, is_there, is_locked = told
    if not is_there:
        return _("It has no transcript, so there is none to archive."), False
    if is_locked:
        return _("Its transcript is locked by a run, so it would stay where it is."), False
    if name is None:
        return _("Its transcript is not in the store's own directory, so it stays."), False
    if other := shares_transcript(look.reader, look.key, entry):
        return _("Its transcript stays: %s uses it too.") % shown(other), False
    said = _("Its transcript %(name)s is kept as %(name)s.%(ending)s.<time>, if you leave that on.")
    return said % {"name": shown(name), "ending": _ENDS[action]}, True
