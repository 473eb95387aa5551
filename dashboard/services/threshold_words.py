"""How limits and figures of rules are said, in the unit that they are measured in."""

from __future__ import annotations

from django.utils.translation import gettext as _

from .amounts import binary, latency, trimmed
from .threshold_units import Unit
from .thresholds import Limits, Rule


def said(unit: Unit, value: float | None) -> str:
    """A value in base units (seconds, bytes, shares) as a person reads it."""
    if value is None:
        return _("not known")
    if unit.name == "time":
        return latency(value * 1000)
    if unit.name == "bytes":
        return binary(int(value))
    if unit.name == "share":
        return _("%s %%") % plain(value * 100)
    if unit.name == "of-limit":
        return _("%s %% of the limit") % plain(value * 100)
    if unit.name == "times":
        return _("%s × the stores") % times(value)
    return plain(value)


def times(value: float) -> str:
    """How many times; beyond a thousand the number says nothing more."""
    return _("over 1,000") if value > 1000 else plain(value)


def plain(value: float) -> str:
    """A number with at most two digits behind the point, and none for nothing."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def typed(unit: Unit, value: float | None) -> str:
    """A limit as the form shows it: a bare number in the rule's own unit."""
    return "" if value is None else f"{value / unit.factor:.6f}".rstrip("0").rstrip(".")


def bands(rule: Rule, limits: Limits) -> tuple[str, str, str]:
    """What is good, what is watched, and what is bad under these limits."""
    sign = ("<", "≥", ">") if not rule.falling else (">", "≤", "<")
    below, at, over = sign
    watch = trimmed(said(rule.unit, limits.watch))
    bad = trimmed(said(rule.unit_of_bad, limits.bad))
    edge = over if rule.is_over else at
    first = watch if limits.watch is not None else bad
    return (
        f"{below} {first}",
        _("never") if limits.watch is None else f"{at} {watch}",
        _("never") if limits.bad is None else f"{edge} {bad}",
    )
