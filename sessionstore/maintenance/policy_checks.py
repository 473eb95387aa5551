"""Whether a policy makes sense. One that does not stops the plan; nothing is ever guessed."""

from __future__ import annotations

import math
from dataclasses import fields

from ..errors import InvalidPolicyError
from ..index.kinds import KINDS
from .plan_shapes import MaintenancePolicy
from .policy_values import refused
from .rules_fields import REBUILDABLE

_SPANS = (
    "prune_after_s",
    "archive_retention_s",
    "reset_retention_s",
    "orphan_retention_s",
    "leftover_retention_s",
    "cron_retention_s",
)
_COUNTS = {
    "max_entries": 1,
    "max_disk_bytes": 1,
    "high_water_bytes": 1,
    "cron_runs_kept": 0,
    "store_copies_kept": 0,
}
_NO_RULES = frozenset(["protect", "protect_kinds", "sources", "high_water_bytes"])
"""What protects or explains takes nothing away by itself."""


def rules_in(policy: MaintenancePolicy) -> tuple[str, ...]:
    """The names of the settings that take something away; none does nothing."""
    names = (one.name for one in fields(policy) if one.name not in _NO_RULES)
    return tuple(
        name
        for name in names
        if getattr(policy, name) not in (None, False) and not _is_off(policy, name)
    )


def _is_off(policy: MaintenancePolicy, name: str) -> bool:
    return name == "slim_fields" and not policy.slim_fields


def check_policy(policy: MaintenancePolicy) -> None:
    """Refuse numbers that make no sense and fields that nobody makes anew.

    Raises:
        InvalidPolicyError: the message names the value.
    """
    for name in _SPANS:
        value = getattr(policy, name)
        if value is not None and not _is_span(value):
            raise refused(name, value, "a number of seconds above 0")
    for name, least in _COUNTS.items():
        value = getattr(policy, name)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (is_whole and value >= least):
            raise refused(name, value, f"a whole number from {least}")
    if policy.high_water_bytes is not None and policy.max_disk_bytes is None:
        raise InvalidPolicyError(
            "high_water_bytes is set without max_disk_bytes",
            hint="give the budget too, or leave the high water out",
        )
    _check_names(policy)


def _check_names(policy: MaintenancePolicy) -> None:
    for name in policy.slim_fields:
        if name not in REBUILDABLE:
            raise refused("slim_fields", name, f"one of {', '.join(REBUILDABLE)}")
    for kind in policy.protect_kinds:
        if kind not in KINDS:
            raise refused("protect_kinds", kind, f"one of {', '.join(KINDS)}")
    for pattern in policy.protect:
        if not pattern.strip():
            raise refused("protect", pattern, "a session key or a pattern of one")


def _is_span(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0  # type: ignore[arg-type,operator]
