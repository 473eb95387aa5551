"""What checks are called where one stands without its sentence, as in an alert."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as lazy

from .thresholds import RULES
from .tree import shown

_TITLES = {
    "agents-alike": lazy("Agents whose names look alike"),
    "backup-damaged": lazy("Damaged backups"),
    "backup-folder": lazy("Folder of backups"),
    "both-layouts": lazy("Stores in both layouts"),
    "collisions": lazy("Entries with the same key"),
    "damaged": lazy("Damaged entries"),
    "file-system": lazy("File systems of stores"),
    "jobs": lazy("Jobs"),
    "layout": lazy("Layouts of stores"),
    "limits": lazy("Limits of locks next to each other"),
    "modes": lazy("Who can open the session files"),
    "read-only-disk": lazy("File systems that cannot be written"),
    "reading": lazy("Stores that are still being read"),
    "schedules": lazy("Schedules of backups"),
    "skipped": lazy("Places that are not opened"),
    "state-directory": lazy("State directory"),
    "stores": lazy("Stores that were found"),
    "unexplained-locks": lazy("Locks without a living owner"),
    "unreadable": lazy("Stores that cannot be read"),
}


def title_of(name: str) -> str:
    """The title of a check: its rule's, or its own; its name, masked, where it has none."""
    if (rule := RULES.get(name)) is not None:
        return str(rule.title)
    return str(_TITLES[name]) if name in _TITLES else str(shown(name))
