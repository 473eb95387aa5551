"""One session of a plan: what was seen of it, what would change, and how that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from sessionstore.entries import redact

from .bulk_effects import Effects
from .bulk_selection import Picked
from .change_records import Difference
from .fleet import fleet
from .rows import readable
from .tree import shown, visible


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One session of a plan, as it was when the plan was made. Texts are masked, the key is not."""

    picked: Picked
    title: str = ""
    agent: str = ""
    updated_at_ms: int | None = None
    effects: Effects = field(default_factory=Effects)

    @property
    def changes(self) -> bool:
        """Whether the action would do anything to it."""
        return bool(self.effects.seen)

    @property
    def shown_key(self) -> str:
        """The key, masked."""
        return shown(self.picked.key or "")

    @property
    def is_there(self) -> bool:
        """Whether it has a page of its own."""
        return self.picked.key is not None

    def to_json(self) -> dict[str, Any]:
        """What is kept of it."""
        return {
            "store_id": self.picked.store_id,
            "ref": self.picked.ref,
            "key": self.picked.key,
            "why": self.picked.why,
            "title": self.title,
            "agent": self.agent,
            "updated_at_ms": self.updated_at_ms,
            "seen": self.effects.seen,
            "skip": self.effects.skip,
            "origin": self.effects.origin,
            "fields": [[d.name, d.before, d.after] for d in self.effects.fields],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> PlanItem:
        """The item again."""
        return cls(
            picked=Picked(kept["store_id"], kept["ref"], kept["key"], why=kept["why"]),
            title=kept["title"],
            agent=kept["agent"],
            updated_at_ms=kept["updated_at_ms"],
            effects=Effects(
                seen=kept["seen"],
                skip=kept["skip"],
                origin=kept["origin"],
                fields=tuple(Difference(*three) for three in kept["fields"]),
            ),
        )


def plan_item(one: Picked, worked_out: Effects) -> PlanItem:
    """A session that was just looked at."""
    row, reader = one.row, fleet().known(one.store_id)
    name = "" if row is None else str(redact(row.name))
    return PlanItem(
        picked=one,
        title=visible(name) or readable(shown(one.key or "")) or _("a session"),
        agent="" if reader is None else reader.name,
        updated_at_ms=None if row is None else row.updated_at_ms,
        effects=worked_out,
    )


def hidden_item(item: PlanItem) -> PlanItem:
    """The item for somebody who may not see its store: nothing of it but that it is there."""
    why = _("Its store is not there any more, or is outside of your scope.")
    unknown = replace(item.picked, key=None, why=why)
    return PlanItem(unknown, _("a session"), effects=Effects(skip=why))


def digest_of(action: str, params: Mapping[str, Any], items: Iterable[PlanItem]) -> str:
    """What a plan is known by: the action, the sessions, and the effect on each.

    Keyed: effects rest on values that are masked where they are shown.
    """
    content = [
        action,
        params,
        [[item.picked.store_id, item.picked.ref, item.effects.seen] for item in items],
    ]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return salted_hmac("dashboard.plan", text, algorithm="sha256").hexdigest()
