"""One check of the overview, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from .check_acknowledging import Acknowledged
from .stores import StoreList


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence. ``state`` is ok, watch, bad or unknown; ``page`` and ``query`` prove it.

    ``rule`` names the rule with the limits that it goes by, where there is one; ``found`` is what
    this look alone would say. ``agents`` are those in the worst state.
    """

    name: str
    state: str
    sentence: str
    detail: str = ""
    page: str = ""
    query: str = ""
    checked_at_ms: int | None = None
    rule: str = ""
    found: str = ""
    since_ms: int | None = None
    agents: tuple[str, ...] = ()
    acknowledged: Acknowledged | None = None


def told(
    stores: StoreList,
    name: str,
    state: str,
    sentence: str,
    detail: str = "",
    page: str = "stores",
    query: str = "",
) -> Check:
    return Check(name, state, sentence, detail, page, query, stores.read_at_ms)


def is_known(stores: StoreList) -> bool:
    return any(row.sessions is not None for row in stores.opened)


def names_of(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return (
        shown
        if len(names) <= 5
        else _("%(shown)s and %(n)d more") % {"shown": shown, "n": len(names) - 5}
    )
