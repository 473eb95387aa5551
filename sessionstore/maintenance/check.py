"""Find what is stale, orphaned, damaged or wasteful in a store. Never changes anything."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..errors import Finding
from ..store import Store
from . import inventory
from .rule import CheckOptions
from .rules import RULES
from .rules_damage import certain
from .shapes import Inventory

OF_DATABASES = frozenset({"sqlite-store", "unreadable", "unsupported-store", "unsafe-file"})
"""What can be said of a store in OpenClaw's own database."""
_WORST_FIRST = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found, worst first, and how much it looked at.

    ``rules`` are the slugs that were looked for, ``entries`` and ``files`` counts of what was
    examined, ``at_ms`` when.
    """

    findings: tuple[Finding, ...]
    rules: tuple[str, ...]
    entries: int
    files: int
    at_ms: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing is above ``info``."""
        return all(finding.severity == "info" for finding in self.findings)


def check(
    store: Store,
    *,
    options: CheckOptions | None = None,
    rules: Collection[str] | None = None,
    may_look_at: Callable[[str], bool] = lambda agent: True,
) -> list[Finding]:
    """Everything that an operator should know about a store, worst first. Changes nothing.

    ``rules`` are slugs of :data:`RULES` (None: all of them). ``may_look_at`` says for which other
    agents transcripts may be looked up. Cost: see :func:`inventory.take`.

    Raises:
        ValueError: no such rule. What is wrong with the store is a finding and never raises.
    """
    look = inventory.take(store, may_look_at=may_look_at)
    return list(examine(look, options=options, rules=rules).findings)


def examine(
    look: Inventory,
    *,
    options: CheckOptions | None = None,
    rules: Collection[str] | None = None,
) -> Checked:
    """What the rules say about one look at a store. Opens nothing.

    Raises:
        ValueError: no such rule.
    """
    wanted = list(RULES) if rules is None else [slug for slug in RULES if slug in rules]
    if rules is not None and (unknown := set(rules) - RULES.keys()):
        raise ValueError(f"no such rule: {', '.join(sorted(unknown))}")
    if look.layout == "sqlite":
        # Its files are what the database's own program left: no rule of ours can judge them.
        wanted = [slug for slug in wanted if slug in OF_DATABASES]
    chosen = options or CheckOptions()
    found = [finding for slug in wanted for finding in RULES[slug].look(look, chosen)]
    if rules is None:
        # A scan may come to know more than there are rules for; nothing is kept back.
        found += [certain(look, one) for one in look.problems if one.rule not in RULES]
    places = {slug: place for place, slug in enumerate(RULES)}
    found.sort(
        key=lambda one: (
            _WORST_FIRST[one.severity],
            places.get(one.rule, -1),
            one.key or "",
            one.path or "",
        )
    )
    return Checked(tuple(found), tuple(wanted), len(look.entries), len(look.files), look.at_ms)
