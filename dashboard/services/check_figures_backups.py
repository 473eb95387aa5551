"""Figures of backups: how old the last verified one and the last trial restore of a store are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from .amounts import duration
from .backup_catalogue import Catalogue, Kept
from .check_judging import Figure
from .stores import StoreRow


def backup_figures(rows: Sequence[StoreRow], seen: Catalogue, now_ms: int) -> Iterator[Figure]:
    """Both ages of each store. Grey where a folder of backups could not be read."""
    whole = [one for one in seen.kept if one.backup.scope == "store" and not one.backup.problem]
    for row in rows:
        mine = [one for one in whole if one.store_id == row.id]
        if seen.problems and not mine:
            for rule in ("backup", "restore"):
                sentence = _("The backups could not be looked at.")
                yield Figure(rule, row.id, row.name, sentence, stale=True)
            continue
        yield _verified(row, mine, now_ms)
        yield _proven(row, mine, now_ms)


def _verified(row: StoreRow, mine: list[Kept], now_ms: int) -> Figure:
    newest_ms = max((one.backup.created_ms for one in mine), default=None)
    if newest_ms is None:
        return Figure("backup", row.id, row.name, _("There is no verified backup."), breach=True)
    age_ms = max(0, now_ms - newest_ms)
    sentence = _("The last verified backup is %s old.") % duration(age_ms)
    return Figure("backup", row.id, row.name, sentence, age_ms / 1000)


def _proven(row: StoreRow, mine: list[Kept], now_ms: int) -> Figure:
    if not mine:
        sentence = _("There is no backup yet that could be restored on trial.")
        return Figure("restore", row.id, row.name, sentence)
    newest_ms = max((one.backup.proven_ms or 0 for one in mine), default=0)
    if not newest_ms:
        sentence = _("No backup was ever restored on trial.")
        return Figure("restore", row.id, row.name, sentence, breach=True)
    age_ms = max(0, now_ms - newest_ms)
    sentence = _("A backup was last restored on trial %s ago.") % duration(age_ms)
    return Figure("restore", row.id, row.name, sentence, age_ms / 1000)
