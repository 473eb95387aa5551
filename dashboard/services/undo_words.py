"""What actions on sessions, and whether they can be taken back, are called."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .actions import ACTIONS
from .tree import shown

KNOWN_ACTIONS = ("edit", *ACTIONS, "restore", "undo")
"""Every action that the console keeps changes of, in the order of menus."""

_NAMES_TOLD = 4


def action_word(action: str) -> str:
    """An action as people call it; one of another program by its own name, masked."""
    own = {"edit": _("Edit"), "restore": _("Restore"), "undo": _("Undo"), "tidy": _("Tidy")}
    if action in own:
        return own[action]
    known = ACTIONS.get(action)
    return str(known.title) if known else shown(action)[:60] or _("Change")


def few(names: list[str] | tuple[str, ...]) -> str:
    """The first names of a list, and how many more there are."""
    told = ", ".join(names[:_NAMES_TOLD])
    left = len(names) - _NAMES_TOLD
    return told if left <= 0 else _("%(names)s and %(count)d more") % {"names": told, "count": left}


def fields_read_back(count: int) -> str:
    """What was verified after a change, in one sentence."""
    said = ngettext(
        "%d field was read back and is as it should be.",
        "%d fields were read back and are as they should be.",
        count,
    )
    return said % count
