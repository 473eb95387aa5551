"""Which sessions no rule of a plan takes away, and why (openclaw-format §5.3, requirement B14).

OpenClaw's rule of keys since 2026.4.20 holds for every store: older releases protected nothing,
and protecting more loses nothing. Protected sessions still count against a cap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..errors import InvalidKeyError
from ..index.kinds import rest_of_key
from ..keys import fold, fold_checked
from .plan_shapes import MaintenancePolicy
from .shapes import EntryFacts, Inventory

_THREAD = re.compile(r":(?:thread|topic):")
_ADDRESS = re.compile(r"[^:]+:(?:[^:]+:)?(?:group|channel):")
_SHARED = frozenset(["group", "channel", "thread"])
_NEVER = frozenset(["subagent", "acp", "cron", "cron-run", "hook", "node", "heartbeat"])
"""Kinds that the rule of keys never protects, whatever else is in the key."""

WORKERS = frozenset(["subagent", "acp"])
"""Kinds whose parent stays as long as they do."""


def by_rule(facts: EntryFacts) -> str:
    """Why OpenClaw itself never prunes, caps or evicts this session; empty if it would."""
    if facts.kind == "subagent" and facts.status == "running":
        return "it is a sub-agent that is marked running"
    if facts.kind in _NEVER:
        return ""
    if _THREAD.search(facts.key) or facts.kind == "thread":
        return "it is a thread or topic"
    if _ADDRESS.match(rest_of_key(facts.key)) or facts.kind in _SHARED:
        return "it is a group or channel"
    if facts.chat_type in _SHARED:
        return f"its chatType is {facts.chat_type}"
    return ""


@dataclass(frozen=True, slots=True)
class Protection:
    """What keeps sessions of one look at a store, under one policy."""

    look: Inventory
    policy: MaintenancePolicy

    def of(self, facts: EntryFacts) -> str:
        """Why no rule may take this session; empty if one may. Parents: :meth:`parents`."""
        return self.activity(facts) or self.by_choice(facts) or by_rule(facts)

    def activity(self, facts: EntryFacts) -> str:
        """Why it counts as being used at this moment."""
        if facts.key in self.look.active_keys:
            return "it is locked or awaited now"
        for name in facts.transcripts:
            if name in self.look.files and self.look.files[name].is_locked:
                return "its transcript is locked, a run may be writing it"
        return ""

    def by_choice(self, facts: EntryFacts) -> str:
        """Whether somebody pinned it, or the policy names it."""
        if facts.pinned:
            return "it is pinned"
        if facts.kind in self.policy.protect_kinds:
            return f"the policy protects sessions of the kind {facts.kind}"
        for pattern in self.policy.protect:
            folded = fold(pattern)
            if facts.key == folded or fnmatchcase(facts.key, folded):
                return f"the policy protects {folded}"
        return ""

    def parents(self, staying: Iterable[EntryFacts]) -> dict[str, str]:
        """Why sessions stay because one that they started does, by their key."""
        found: dict[str, str] = {}
        for facts in staying:
            parent = parent_of(facts)
            if parent:
                found[parent] = "a sub-agent that it started is kept"
        return found


def parent_of(facts: EntryFacts) -> str:
    """The folded key of the session that started this one; empty for none."""
    if facts.kind not in WORKERS or not facts.parent_key:
        return ""
    try:
        parent = fold_checked(facts.parent_key)
    except InvalidKeyError:
        return ""
    return "" if parent == facts.key else parent
