"""The checks of the overview, in one list. Each is one sentence on what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from . import backup_checks, disk_checks, job_checks, lock_checks, store_checks, tidy_checks
from .backup_catalogue import Catalogue, catalogue
from .check import Check
from .check_acknowledging import acknowledged, still_holds
from .check_figures import figures_of
from .check_limits import limits_check
from .check_memory import fresh_memories
from .check_said import Judged, figure_checks, judged
from .stores import StoreList
from .threshold_changes import limits_now

_QUALITIES: tuple[Callable[[StoreList], Iterator[Check]], ...] = (
    store_checks.found,
    store_checks.readable,
    store_checks.reading,
    store_checks.damaged,
    store_checks.collisions,
    store_checks.layouts,
    lock_checks.unexplained,
    disk_checks.mounted,
    disk_checks.network,
    disk_checks.modes,
    backup_checks.schedules,
    job_checks.jobs,
    tidy_checks.orphans,
    limits_check,
)


def all_checks(stores: StoreList) -> Iterator[Check]:
    """Run every check on one look at the stores; figures go by what the runners settled."""
    known = acknowledged()
    for check in _all(stores):
        state, note = known.get(check.name, ("", None))
        holds = note is not None and still_holds(check.state, state)
        yield replace(check, acknowledged=note) if holds else check


def _all(stores: StoreList) -> Iterator[Check]:
    seen = backups_of(stores)
    yield from qualities(stores, seen)
    if stores.problem is None:
        yield from figure_checks(judged_now(stores, seen), stores.read_at_ms)


def backups_of(stores: StoreList) -> Catalogue:
    """The backups that checks go by, read once; none where there is no store."""
    return catalogue() if stores.opened else Catalogue(())


def judged_now(stores: StoreList, seen: Catalogue) -> dict[str, list[Judged]]:
    """Every figure of one look with its state, by rule, worst first."""
    return judged(figures_of(stores, seen), limits_now(), fresh_memories())


def qualities(stores: StoreList, seen: Catalogue) -> Iterator[Check]:
    """Checks that go by facts and not by a figure, as found just now."""
    if stores.problem is not None:
        told = stores.problem
        yield Check(
            "state-directory",
            "bad",
            f"{told.title}: {told.detail}",
            told.hint,
            "stores",
            "",
            stores.read_at_ms,
        )
        return
    for check in _QUALITIES:
        yield from check(stores)
    yield from backup_checks.backups(stores, seen)
