"""The words of a migration: outcomes, what becomes of a session, older forms."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

MIGRATE, ROLLBACK = "migrate", "rollback"

#: What becomes of a session, in the order of the page's tabs.
ACTIONS = {
    MIGRATE: ("move", "equal", "differs", "blocked"),
    ROLLBACK: ("same", "written since", "new since", "deleted since"),
}
_ACTION_WORDS = {
    "move": lazy("move"),
    "equal": lazy("there and equal"),
    "differs": lazy("there and differs"),
    "blocked": lazy("cannot be taken over"),
    "same": lazy("as it was taken over"),
    "written since": lazy("written since"),
    "new since": lazy("new since"),
    "deleted since": lazy("deleted since"),
}
#: Only what asks for a look is coloured; most sessions just move.
_ACTION_TONES = {"equal": "ok", "differs": "watch", "blocked": "watch", "same": "ok"}
_OUTCOMES = {
    "migrated": (lazy("migrated"), "ok"),
    "merged": (lazy("merged"), "ok"),
    "already": (lazy("already migrated"), "ok"),
    "missing": (lazy("nothing to migrate"), "none"),
    "skipped_empty": (lazy("left, as it is empty"), "none"),
    "skipped_invalid": (lazy("left, as it cannot be read"), "watch"),
    "failed": (lazy("failed"), "bad"),
    "rolled_back": (lazy("undone"), "ok"),
    "refused": (lazy("not possible"), "watch"),
}
_PLANNED = {
    "migrated": (lazy("can be migrated"), "none"),
    "merged": (lazy("can be merged"), "none"),
    "rolled_back": (lazy("can be undone"), "none"),
}
_FORMS = {
    "json": lazy("one file"),
    "json5": lazy("one file, tolerant JSON"),
    "meta": lazy("metadata files beside transcripts"),
    "folders": lazy("one folder per session"),
    "files": lazy("one file per session"),
    "entries": lazy("entries with a state file"),
}


def choice_missing(*, by_command: bool) -> str:
    """Why a store is not migrated before somebody has said that it is meant, and what to do."""
    why = _(
        "OpenClaw was found, or the store is outside of the state directory, and nobody has said"
        " that it is to be migrated all the same."
    )
    if by_command:
        return f"{why} " + _(
            "See with --dry-run which programs read it, then say --yes-i-know to migrate it."
        )
    return f"{why} " + _("Open its page, read which programs read it, and choose.")


def action_word(action: str) -> str:
    """What becomes of a session, said for a person."""
    return str(_ACTION_WORDS.get(action, action))


def action_tone(action: str) -> str:
    """How it is coloured: ok, watch, none."""
    return _ACTION_TONES.get(action, "none")


def outcome_word(outcome: str) -> str:
    """What a run came to, said for a person."""
    return str(_OUTCOMES[outcome][0]) if outcome in _OUTCOMES else outcome


def outcome_tone(outcome: str) -> str:
    """How it is coloured. A run without findings never looks like a failure."""
    return _OUTCOMES[outcome][1] if outcome in _OUTCOMES else "none"


def planned_word(outcome: str) -> tuple[str, str]:
    """What a run would come to, and its tone."""
    word, tone = _PLANNED.get(outcome) or _OUTCOMES.get(outcome) or (outcome, "none")
    return str(word), tone


def form_word(form: str) -> str:
    """An older form, said for a person."""
    return str(_FORMS.get(form, form))


def kind_title(kind: str, names: str) -> str:
    """The title of the job."""
    return (_("Migrate %s") if kind == MIGRATE else _("Undo the migration of %s")) % names
