"""What checks, plans to tidy and their outcomes are called, in whole sentences."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from sessionstore.maintenance import RULES

from .amounts import binary
from .tree import shown

Text = str | Promise

CHECK, PLAN, APPLY, BACK = "tidy.check", "tidy.plan", "tidy.apply", "tidy.take_back"
KINDS = (CHECK, PLAN, APPLY, BACK)

SEVERITIES = ("error", "warning", "info")
SEVERITY_WORDS: dict[str, Text] = {
    "error": lazy("Bad"),
    "warning": lazy("Watch"),
    "info": lazy("Note"),
}
TONES = {"error": "bad", "warning": "watch", "info": "info"}
CONFIDENCES = ("certain", "likely", "possible")
CONFIDENCE_WORDS: dict[str, Text] = {
    "certain": lazy("certain"),
    "likely": lazy("likely"),
    "possible": lazy("possible"),
}
ACTIONS = ("delete", "archive", "slim", "keep")
ACTION_WORDS: dict[str, Text] = {
    "delete": lazy("Delete"),
    "archive": lazy("Archive"),
    "slim": lazy("Slim"),
    "keep": lazy("Keep"),
}
ACTION_TONES = {"delete": "bad", "archive": "watch", "slim": "accent", "keep": "none"}
KIND_WORDS: dict[str, Text] = {
    "entry": lazy("session"),
    "transcript": lazy("transcript"),
    "file": lazy("file"),
    "blob": lazy("prompt text"),
    "field": lazy("fields of a session"),
    "value": lazy("blob"),
}
OUTCOMES = ("done", "skipped", "failed", "taken-back")
OUTCOME_WORDS: dict[str, Text] = {
    "": lazy("not come to"),
    "done": lazy("done"),
    "skipped": lazy("left alone"),
    "failed": lazy("failed"),
    "taken-back": lazy("taken back"),
}
OUTCOME_TONES = {
    "": "none",
    "done": "ok",
    "skipped": "watch",
    "failed": "bad",
    "taken-back": "accent",
}


def rule_title(slug: str) -> str:
    """What a rule of a check is called; one that this console does not know goes by its slug."""
    known = RULES.get(slug)
    return _(known.title) if known else shown(slug)


def rule_meaning(slug: str) -> str:
    """What a rule finds, in words."""
    known = RULES.get(slug)
    if known is None:
        return _("What the scan of the store itself found; it is no rule of the check.")
    return _(known.meaning)


def word(words: Mapping[str, Text], name: str) -> str:
    """The word for a name; what nobody knows is said as it is."""
    return str(words.get(name, shown(name)))


def examined_words(rules: int, entries: int, files: int) -> str:
    """``14 rules, 1,204 sessions and 3,911 files``."""
    return _("%(rules)s, %(sessions)s and %(files)s") % {
        "rules": ngettext("%(n)s rule", "%(n)s rules", rules) % {"n": f"{rules:,}"},
        "sessions": ngettext("%(n)s session", "%(n)s sessions", entries) % {"n": f"{entries:,}"},
        "files": ngettext("%(n)s file", "%(n)s files", files) % {"n": f"{files:,}"},
    }


def findings_words(count: int) -> str:
    """``3 findings``."""
    return ngettext("%(n)s finding", "%(n)s findings", count) % {"n": f"{count:,}"}


def checked_sentence(*, count: int, rules: int, entries: int, files: int) -> str:
    """What a check came to."""
    examined = examined_words(rules, entries, files)
    if not count:
        return _("%s examined, nothing to do.") % examined
    told = {"examined": examined, "found": findings_words(count)}
    return _("%(examined)s examined, %(found)s.") % told


def planned_sentence(totals: Mapping[str, Mapping[str, int]], *, is_empty: bool) -> str:
    """What a plan would do, in one sentence."""
    if is_empty:
        return _("No rule is on, so this plan does nothing.")
    acting = sum(totals.get(one, {}).get("count", 0) for one in ACTIONS if one != "keep")
    if not acting:
        return _("Nothing is to be done: everything stays as it is.")
    parts = [
        _action_words(action, count)
        for action in ("delete", "archive", "slim")
        if (count := totals.get(action, {}).get("count", 0))
    ]
    freed = sum(one.get("frees", 0) for one in totals.values())
    return _("It would %(what)s, which frees %(bytes)s.") % {
        "what": ", ".join(parts),
        "bytes": binary(freed),
    }


def _action_words(action: str, count: int) -> str:
    if action == "delete":
        said = ngettext("delete %(n)s item", "delete %(n)s items", count)
    elif action == "archive":
        said = ngettext("archive %(n)s item", "archive %(n)s items", count)
    else:
        said = ngettext("slim %(n)s item", "slim %(n)s items", count)
    return said % {"n": f"{count:,}"}


def ran_sentence(outcomes: Mapping[str, int], *, predicted: int, achieved: int) -> str:
    """What applying a plan came to, in one sentence."""
    total = sum(outcomes.values())
    back = outcomes.get("taken-back", 0)
    done = outcomes.get("done", 0) + back
    said = [_("%(done)s of %(total)s items done.") % {"done": f"{done:,}", "total": f"{total:,}"}]
    if back:
        taken = ngettext("%(n)s of them is taken back.", "%(n)s of them are taken back.", back)
        said.append(taken % {"n": f"{back:,}"})
    if skipped := outcomes.get("skipped", 0):
        left = ngettext(
            "%(n)s had changed since the plan and was left alone.",
            "%(n)s had changed since the plan and were left alone.",
            skipped,
        )
        said.append(left % {"n": f"{skipped:,}"})
    if failed := outcomes.get("failed", 0):
        said.append(ngettext("%(n)s failed.", "%(n)s failed.", failed) % {"n": f"{failed:,}"})
    freed = {"achieved": binary(achieved), "predicted": binary(predicted)}
    said.append(_("%(achieved)s freed of %(predicted)s predicted.") % freed)
    return " ".join(said)


#: Rules of a plan, by the library's names.
PLAN_RULE_WORDS: dict[str, Text] = {
    "prune": lazy("untouched for too long"),
    "cap": lazy("beyond the number of sessions"),
    "cron-retention": lazy("finished cron runs"),
    "cron-runs": lazy("cron runs beyond the number"),
    "archive-retention": lazy("old .deleted archives"),
    "reset-retention": lazy("old .reset archives"),
    "orphans": lazy("transcripts without a session"),
    "leftovers": lazy("leftovers"),
    "unnamed-blob": lazy("blobs that nothing refers to"),
    "store-copies": lazy("copies of the whole store"),
    "slim": lazy("fields that are made anew"),
    "unpin": lazy("overrides of failovers"),
    "disk-budget": lazy("above the disk budget"),
}
