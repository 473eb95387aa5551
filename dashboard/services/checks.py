"""The checks of the overview, in one list. Each is one sentence on what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.utils.translation import gettext as _

from . import backup_checks, disk_checks, lock_checks, store_checks
from .check import Check
from .stores import StoreList

_CHECKS: tuple[Callable[[StoreList], Iterator[Check]], ...] = (
    store_checks.found,
    store_checks.readable,
    store_checks.reading,
    store_checks.damaged,
    store_checks.collisions,
    store_checks.layouts,
    lock_checks.locks,
    disk_checks.disk,
    disk_checks.network,
    disk_checks.modes,
    backup_checks.backups,
    backup_checks.schedules,
)


def all_checks(stores: StoreList) -> Iterator[Check]:
    """Run every check on one look at the stores."""
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
    for check in _CHECKS:
        yield from check(stores)
    yield from _not_yet()


def _not_yet() -> Iterator[Check]:
    """What this console does not look at yet. Grey is honest; green would be a promise."""
    yield Check("write-latency", "unknown", _("Write and lock latency: not measured yet."))
    yield Check("timeouts", "unknown", _("Lock timeouts in the last hour: not counted yet."))
    yield Check("orphans", "unknown", _("Transcripts without a session: not checked yet."))
