"""Which stores or sessions a new backup is to be of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from django.utils.translation import gettext as _

from dashboard.acting import Actor

from .backup_list import StoreChoice, store_choices
from .bulk_plans import find_plan, items_of
from .fleet import fleet, page_budget_s
from .problems import ProblemError, not_there
from .readers import refresh_all
from .rows import readable
from .tree import shown

_TOLD = 20


@dataclass(frozen=True, slots=True)
class Picked:
    """Sessions by store id, their keys raw; ``titles`` are some of them, masked."""

    keys: Mapping[str, tuple[str, ...]]
    titles: tuple[str, ...]

    @property
    def store_ids(self) -> tuple[str, ...]:
        """The stores that they are of."""
        return tuple(self.keys)

    @property
    def count(self) -> int:
        """How many sessions there are."""
        return sum(len(keys) for keys in self.keys.values())

    @property
    def more(self) -> int:
        """How many of them are not told."""
        return self.count - len(self.titles)


def stores_to_pick() -> list[StoreChoice]:
    """Every store in scope, with how much its backup would read."""
    return store_choices(fleet().refreshed().readers)


def picked_by_plan(actor: Actor, plan_id: str) -> Picked:
    """The sessions of a selection that was made in the list.

    Raises:
        ProblemError: there is no such selection, or nothing is left of it.
    """
    found: dict[str, list[str]] = {}
    for item in items_of(find_plan(actor, plan_id)):
        if item.picked.key is not None:
            found.setdefault(item.picked.store_id, []).append(item.picked.key)
    if not found:
        raise _nothing()
    keys = {store_id: tuple(some) for store_id, some in found.items()}
    return Picked(keys, _titles(key for some in keys.values() for key in some))


def picked_session(store_id: str, ref: str) -> Picked:
    """One session.

    Raises:
        ProblemError: it is not there.
    """
    reader = fleet().reader(store_id)
    refresh_all([reader], budget_s=page_budget_s())
    key = reader.key_of(ref)
    if key is None or reader.row(key) is None:
        raise _nothing()
    return Picked({store_id: (key,)}, _titles([key]))


def _titles(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(readable(shown(key)) for key in islice(keys, _TOLD))


def _nothing() -> ProblemError:
    return not_there(
        _("None of the sessions that were picked is there any more."),
        _("Select the sessions again."),
    )
