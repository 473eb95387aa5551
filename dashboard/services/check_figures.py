"""Every figure that checks go by, measured once for all stores that may be seen."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from .backup_catalogue import Catalogue
from .check_figures_backups import backup_figures
from .check_figures_locks import lock_figures
from .check_figures_reported import recent_of, reported_figures
from .check_figures_stores import disk_figure, list_page_figure, store_figures
from .check_judging import Figure
from .fleet import fleet
from .only_read import SQLITE
from .stores import StoreList


def figures_of(stores: StoreList, seen: Catalogue) -> list[Figure]:
    """All figures; none where the state directory itself could not be read."""
    return [] if stores.problem is not None else list(_figures(stores, seen))


def _figures(stores: StoreList, seen: Catalogue) -> Iterator[Figure]:
    rows, now_ms = stores.opened, stores.read_at_ms
    readers = {row.id: reader for row in rows if (reader := fleet().known(row.id)) is not None}
    recent = recent_of(list(readers.values()), now_ms)
    # Of OpenClaw's own database nothing is reported, locked or backed up here.
    ours = [row for row in rows if row.layout != SQLITE]
    for row in ours:
        yield from reported_figures(row, recent.get(row.id))
        yield from lock_figures(row)
        yield from store_figures(row, readers.get(row.id), now_ms)
    yield from disk_figure(rows)
    if ours:
        yield from backup_figures(ours, seen, now_ms)
        yield Figure(
            "transcript-size", "", "", _("The sizes of transcripts are not looked at yet.")
        )
    yield list_page_figure(now_ms)
