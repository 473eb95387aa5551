"""Planning what to tidy: pure, from one look at a store and a policy. Changes nothing.

The order of the rules is OpenClaw's (openclaw-format §5.2 to §5.5): age, runs of cron jobs, count,
archives, then the disk budget; orphans, leftovers and fields are ours. Two plans of one look and
policy are equal.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..errors import EntryNotFoundError
from ..sqlitestore import read_only_error
from ..store import Store
from . import budget, plan_blobs, plan_entries, plan_fields, plan_files
from .inventory import take
from .plan_draft import Draft
from .plan_records import digest_of
from .plan_shapes import MaintenancePlan, MaintenancePolicy, PlannedItem
from .policy_checks import check_policy, rules_in
from .protected import Protection
from .shapes import Inventory

_EXCLUDED = "left out by hand"


def plan_maintenance(
    store: Store,
    policy: MaintenancePolicy,
    *,
    inventory: Inventory | None = None,
    now_ms: int | None = None,
) -> MaintenancePlan:
    """Decide what a policy would tidy away, item by item with the reason. Changes nothing.

    A policy without a rule plans nothing and says so in ``warnings``. ``inventory`` is a
    look at the store that was taken already; else one is taken (:func:`take` says what it costs).
    Planning itself takes a second for 10,000 sessions with their files.

    Raises:
        InvalidPolicyError: the policy makes no sense; it names the value.
        SessionStoreError: the store cannot be looked at.
    """
    check_policy(policy)
    found = inventory if inventory is not None else take(store, now_ms=now_ms)
    if now_ms is not None:
        found = replace(found, at_ms=now_ms)
    return plan_of(found, policy)


def plan_of(look: Inventory, policy: MaintenancePolicy) -> MaintenancePlan:
    """As :func:`plan_maintenance`, of a look that was taken; opens nothing.

    Raises:
        UnsupportedStoreError: sessions are in OpenClaw's database, so files tell nothing of them.
    """
    check_policy(policy)
    if look.layout == "sqlite":
        raise read_only_error(look.paths)
    rules = rules_in(policy)
    draft = Draft(look, policy, Protection(look, policy))
    plan_entries.prune(draft)
    plan_entries.cron_runs(draft)
    plan_entries.cap(draft)
    plan_files.archives(draft)
    plan_files.orphans(draft)
    plan_files.leftovers(draft)
    plan_files.store_copies(draft)
    plan_blobs.unnamed(draft)
    plan_fields.slim(draft)
    budget.sweep(draft)
    draft.attach_files()
    if not rules:
        draft.warnings.append("The policy has no rule, so nothing would be done.")
    if policy.max_disk_bytes is not None and (policy.high_water_bytes or 0) > policy.max_disk_bytes:
        draft.warnings.append("The high water is above the disk budget; the budget counts instead.")
    examined = {"entries": len(look.entries), "files": len(look.files), "rules": len(rules)}
    items = tuple(_items(draft))
    return MaintenancePlan(
        paths=look.paths,
        policy=policy,
        made_at_ms=look.at_ms,
        items=items,
        examined=examined,
        total_bytes=look.total_bytes,
        digest=digest_of(look.paths, policy, items),
        warnings=tuple(draft.warnings),
    )


def _items(draft: Draft) -> list[PlannedItem]:
    """What is done, in the order of doing it, then what is kept. Each subject once."""
    fields = [item for key, item in draft.fields.items() if key not in draft.entries]
    doing = [
        *draft.entries.values(),
        *draft.files.values(),
        *draft.values.values(),
        *fields,
    ]
    done = {item.id for item in doing}
    return [*doing, *(item for item in draft.kept.values() if item.id not in done)]


def without(plan: MaintenancePlan, ids: Collection[str]) -> MaintenancePlan:
    """The plan with these items kept, as somebody asked. What others would do stays the same.

    Raises:
        EntryNotFoundError: the plan has no such item.
    """
    unknown = set(ids) - {item.id for item in plan.items}
    if unknown:
        raise EntryNotFoundError(
            f"the plan has no item {sorted(unknown)[0]!r}", hint="plan anew, and choose from that"
        )
    items = tuple(_kept(item) if item.id in ids else item for item in plan.items)
    return replace(plan, items=items, digest=digest_of(plan.paths, plan.policy, items))


def _kept(item: PlannedItem) -> PlannedItem:
    if item.action == "keep":
        return item
    return replace(item, action="keep", frees_bytes=0, protected_by=_EXCLUDED)
