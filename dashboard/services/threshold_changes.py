"""The limits that count now, and changing them: validated, and on record with before and after."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.models import Threshold

from .problems import ProblemError, not_there
from .threshold_units import Unit
from .threshold_words import bands, plain
from .thresholds import RULES, Limits, Rule


class LimitsRefusedError(ValueError):
    """These limits make no sense; the message says which and why. ``field`` is watch or bad."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def limits_now() -> dict[str, Limits]:
    """The limits of every rule: what an admin set, else the default. One query."""
    set_ones = {row.rule: Limits(row.watch, row.bad) for row in Threshold.objects.all()}
    return {name: set_ones.get(name, rule.default) for name, rule in RULES.items()}


def rule_of(name: str) -> Rule:
    """A rule by its name.

    Raises:
        ProblemError: there is none.
    """
    if name not in RULES:
        raise _no_rule()
    return RULES[name]


def _no_rule() -> ProblemError:
    return not_there(_("There is no such rule."), _("Open the checks and choose one of them."))


def typed_limits(rule: Rule, watch: float | None, bad: float | None) -> Limits:
    """Limits from numbers as they are typed, in the units of the rule.

    Raises:
        LimitsRefusedError: one is missing, out of bounds, or they are in the wrong order.
    """
    limits = Limits(
        _base("watch", rule.unit, watch) if rule.default.watch is not None else None,
        _base("bad", rule.unit_of_bad, bad) if rule.default.bad is not None else None,
    )
    if limits.watch is None or limits.bad is None or rule.bad_unit is not None:
        return limits
    if rule.falling and limits.watch < limits.bad:
        raise LimitsRefusedError("watch", _("Less is worse here: watch must not be below bad."))
    if not rule.falling and limits.watch > limits.bad:
        raise LimitsRefusedError("watch", _("Watch must not be above bad."))
    return limits


def _base(field: str, unit: Unit, value: float | None) -> float:
    if value is None:
        raise LimitsRefusedError(field, _("Type a number."))
    if not unit.least <= value <= unit.most:
        said = {"least": plain(unit.least), "most": plain(unit.most), "unit": unit.word}
        raise LimitsRefusedError(field, _("From %(least)s to %(most)s %(unit)s.") % said)
    return value * unit.factor


def change(actor: Actor, rule: Rule, limits: Limits) -> None:
    """Set the limits of a rule for everybody; states follow with the next evaluation.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "admin")
    with transaction.atomic():
        _record(actor, "threshold.change", rule, limits)
        Threshold.objects.update_or_create(
            rule=rule.name,
            defaults={
                "watch": limits.watch,
                "bad": limits.bad,
                "actor": actor.name,
                "changed_at": timezone.now(),
            },
        )


def reset(actor: Actor, rule: Rule) -> None:
    """Go back to the default of a rule.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "admin")
    with transaction.atomic():
        _record(actor, "threshold.reset", rule, rule.default)
        Threshold.objects.filter(pk=rule.name).delete()


def _record(actor: Actor, action: str, rule: Rule, after: Limits) -> None:
    before = limits_now()[rule.name]
    details = {
        "before": {"watch": before.watch, "bad": before.bad, "words": bands(rule, before)},
        "after": {"watch": after.watch, "bad": after.bad, "words": bands(rule, after)},
    }
    audit.record(None, by=actor, action=action, target=rule.name, details=details)
