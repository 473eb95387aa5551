"""How long who waits, may hold, and until when a lock counts as left behind, side by side.

The three are set in different places, and often cannot work together (demand.md A1.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessionstore import LockLimit, lock_limits
from sessionstore.errors import SessionStoreError

from .amounts import duration
from .fleet import below_state, fleet, page_budget_s
from .locks_words import kind_word
from .tree import shown
from .workers import BusyError, Worker


@dataclass(frozen=True, slots=True)
class LimitCell:
    """One limit. ``words`` is its value; ``source`` where it is set, ``problem`` why it is not."""

    words: str
    source: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LimitRow:
    """The limits of one kind of lock, for one program."""

    lock: str
    program: str
    wait: LimitCell
    hold: LimitCell
    stale: LimitCell
    note: str


_reads = Worker("lock-limits")


def limit_rows() -> tuple[LimitRow, ...]:
    """One row for each kind of lock and program. Empty where the configuration cannot be read."""
    state_dir = fleet().state_dir
    if state_dir is None:
        return ()
    try:
        limits = _reads.call(lambda: lock_limits(state_dir), budget_s=page_budget_s())
    except (BusyError, SessionStoreError, OSError):
        return ()
    groups: dict[tuple[str, str], list[LockLimit]] = {}
    for limit in limits:
        groups.setdefault((limit.lock, limit.releases), []).append(limit)
    return tuple(_row(lock, releases, found) for (lock, releases), found in groups.items())


def _row(lock: str, releases: str, found: Sequence[LockLimit]) -> LimitRow:
    by_kind = {limit.kind: limit for limit in found}
    return LimitRow(
        lock=kind_word(lock),
        program=_("OpenClaw %s") % shown(releases) if releases else _("programs with sessionstore"),
        wait=_cell(by_kind.get("wait")),
        hold=_cell(by_kind.get("hold")),
        stale=_cell(by_kind.get("stale")),
        note=_note(by_kind.get("wait"), by_kind.get("hold")),
    )


def _cell(limit: LockLimit | None) -> LimitCell:
    if limit is None:
        return LimitCell("–", "")
    words = _("none") if limit.value_s is None else duration(limit.value_s * 1000)
    if limit.problem:
        words = _("unusable")
    return LimitCell(words, below_state(shown(limit.source)), below_state(shown(limit.problem)))


def _note(wait: LockLimit | None, hold: LockLimit | None) -> str:
    if wait is None or hold is None or wait.value_s is None or hold.value_s is None:
        return ""
    if hold.value_s <= wait.value_s:
        return ""
    return _("A holder may keep it for longer than anybody waits for it.")
