"""What is taken out of sessions that stay: fields made anew, overrides left by a failover."""

from __future__ import annotations

from .plan_draft import Draft, item_id
from .plan_shapes import PlannedItem
from .rule import amount
from .shapes import EntryFacts

OVERRIDE = (
    "providerOverride",
    "modelOverride",
    "modelOverrideSource",
    "modelOverrideFallbackOriginProvider",
    "modelOverrideFallbackOriginModel",
)
"""What a failover writes (openclaw-format §3.3); clearing it means the agent's own model."""


def slim(draft: Draft) -> None:
    """Take out rebuildable fields of at least 1 KiB, and overrides that a failover left.

    One item per session, since the second of two would meet an entry that has moved. Its rule is
    ``slim`` where both are taken out.
    """
    policy = draft.policy
    for facts in list(draft.staying()):
        heavy = [name for name in policy.slim_fields if name in facts.weights]
        is_pinned = policy.unpin_failover and facts.has_failover_override
        if heavy or is_pinned:
            _take(draft, facts, heavy, is_pinned=is_pinned)


def _take(draft: Draft, facts: EntryFacts, heavy: list[str], *, is_pinned: bool) -> None:
    size = sum(facts.weights[name] for name in heavy)
    said = []
    if heavy:
        fields = " and ".join(heavy)
        said.append(f"{fields} take {amount(size)}, and the gateway makes them anew when needed.")
    if is_pinned:
        said.append("A failover changed its model, and nobody changed it back.")
    why = draft.protection.activity(facts)
    item = PlannedItem(
        id=item_id("field", facts.key),
        kind="field",
        action="keep" if why else "slim",
        rule="slim" if heavy else "unpin",
        reason=" ".join(said),
        key=facts.key,
        path=facts.path,
        size_bytes=draft.entry_bytes(facts),
        frees_bytes=0 if why else size,
        age_s=None if facts.active_at_ms is None else draft.age_s(facts.active_at_ms),
        stamp=facts.etag,
        fields=(*heavy, *(OVERRIDE if is_pinned else ())),
        protected_by=why,
    )
    if why:
        draft.kept.setdefault(item.id, item)
    else:
        draft.fields[facts.key] = item
