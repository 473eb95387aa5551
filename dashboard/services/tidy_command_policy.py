"""The policy that the options of ``manage.py sessions tidy`` say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sessionstore.errors import InvalidPolicyError
from sessionstore.maintenance import (
    MaintenancePolicy,
    parse_bytes,
    parse_count,
    parse_duration,
    policy_of,
)
from sessionstore.maintenance.policy_checks import check_policy

from .command_stores import UsageError
from .fleet import fleet
from .tree import shown

#: Options of one value: the setting of a policy, what its value is, and what it does in words.
SETTINGS: Mapping[str, tuple[str, str, str]] = {
    "prune-after": ("prune_after_s", "AGE", "archive sessions that were not updated for longer"),
    "max-entries": ("max_entries", "N", "archive the oldest sessions beyond so many"),
    "cron-after": ("cron_retention_s", "AGE", "archive finished runs of cron jobs that are older"),
    "cron-runs": ("cron_runs_kept", "N0", "archive finished runs beyond so many of each cron job"),
    "deleted-after": ("archive_retention_s", "AGE", "let .deleted archives go that are older"),
    "reset-after": ("reset_retention_s", "AGE", "let .reset archives go that are older"),
    "orphans-after": ("orphan_retention_s", "AGE", "archive older transcripts without a session"),
    "leftovers-after": ("leftover_retention_s", "AGE", "let temporary files go that are older"),
    "store-copies": ("store_copies_kept", "N0", "let copies of the whole store go beyond so many"),
    "max-disk": ("max_disk_bytes", "SIZE", "above this, let the oldest go: archives first"),
    "high-water": ("high_water_bytes", "SIZE", "until this is reached (80 % of --max-disk)"),
}

_FOUND_S = 30.0


def policy_from(options: Mapping[str, Any]) -> MaintenancePolicy:
    """The policy that the options say, over that of the gateway's config where it is asked for.

    Raises:
        UsageError: a value of either cannot be understood; it is named.
    """
    try:
        policy = _of_gateway() if options["from_config"] else MaintenancePolicy()
        given = {name: options[name.replace("-", "_")] for name in SETTINGS}
        values: dict[str, Any] = {
            SETTINGS[name][0]: _parsed(f"--{name}", SETTINGS[name][1], text)
            for name, text in given.items()
            if text is not None
        }
        policy = replace(
            policy,
            **values,
            slim_fields=tuple(options["slim"] or ()),
            unpin_failover=bool(options["unpin_failover"]),
            protect=tuple(options["protect"] or ()),
            protect_kinds=tuple(options["protect_kind"] or ()),
        )
        check_policy(policy)
    except InvalidPolicyError as error:
        raise UsageError(shown(str(error))) from error
    return policy


def _of_gateway() -> MaintenancePolicy:
    state_dir = fleet().scan(budget_s=_FOUND_S).state_dir
    return policy_of(Path(state_dir)).policy


def _parsed(name: str, kind: str, text: str) -> float | int:
    if kind == "AGE":
        return parse_duration(text, name)
    if kind == "SIZE":
        return parse_bytes(text, name)
    return parse_count(text, name, least=0 if kind == "N0" else 1)
