"""The words of backups and restores: how deep a check was, which rule keeps one, what changes."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sessionstore.backup import Backup, RetentionPolicy

#: What becomes of a session, in the order of the page's tabs.
ACTIONS = ("changed", "created", "removed", "unusable", "unchanged")
_ACTION_WORDS = {
    "changed": lazy("would change"),
    "created": lazy("would be created"),
    "removed": lazy("would be removed"),
    "unusable": lazy("damaged in the backup, stays as it is"),
    "unchanged": lazy("is as it was"),
}
_ACTION_TONES = {"removed": "watch", "unusable": "bad", "unchanged": "ok"}
_RULES = {
    "held": lazy("held"),
    "last": lazy("among the last"),
    "hourly": lazy("hourly"),
    "daily": lazy("daily"),
    "weekly": lazy("weekly"),
    "monthly": lazy("monthly"),
    "within": lazy("within the span"),
    "newest": lazy("the newest sound one"),
}


def action_word(action: str) -> str:
    """What becomes of a session, said for a person."""
    return str(_ACTION_WORDS.get(action, action))


def action_tone(action: str) -> str:
    """How it is coloured: ok, watch, bad, none."""
    return _ACTION_TONES.get(action, "none")


def rule_word(rule: str) -> str:
    """The rule that keeps a backup, said for a person."""
    if rule.startswith("damaged"):
        return _("damaged: look at it first")
    return str(_RULES.get(rule, rule))


def depth_words(depth: str | None, part: tuple[int, int] | None) -> str:
    """How deep a backup was checked."""
    if depth == "everything":
        return _("every byte")
    if depth == "part" and part is not None:
        return _("part %(n)d of %(t)d") % {"n": part[0], "t": part[1]}
    return _("structure") if depth == "structure" else ""


def scope_words(backup: Backup) -> str:
    """What a backup is of."""
    if backup.scope == "selection":
        return _("some sessions")
    return _("everything, with transcripts") if backup.with_transcripts else _("every entry")


def policy_words(policy: RetentionPolicy) -> str:
    """A retention policy in one line."""
    told = (
        (_("the last %d"), policy.keep_last),
        (_("%d hourly"), policy.hourly),
        (_("%d daily"), policy.daily),
        (_("%d weekly"), policy.weekly),
        (_("%d monthly"), policy.monthly),
        (_("all of the last %d days"), int(policy.within_s // 86_400)),
    )
    return ", ".join(words % count for words, count in told if count)
