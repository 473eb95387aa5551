"""The kinds of jobs there are: who may ask for one, and what is done with each item.

A kind registers itself when its module is imported; ``load`` imports the modules named here once
the application is ready. This module imports no service, so services import it freely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from django.utils.functional import Promise

from dashboard.acting import Actor
from dashboard.models import Job, JobItem
from dashboard.roles import Role

ItemState = Literal["done", "skipped", "failed", "retry", "pause", "stopped", "cancelled"]

#: Modules that register a kind when they are imported.
MODULES: tuple[str, ...] = (
    "dashboard.services.backup_work",
    "dashboard.services.bulk_work",
    "dashboard.services.edit_work",
    "dashboard.services.migration_work",
    "dashboard.services.restore_work",
    "dashboard.services.tidy_checking",
    "dashboard.services.tidy_work",
    "dashboard.services.undo_jobs",
)


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of an item. The message is one sentence for people; it is masked when kept.

    "retry" is for what is only not possible now, a lock that is not to be had: the item goes to the
    end of the queue, up to ``Kind.most_retries`` times with growing pauses, and fails then.
    "pause" is for what a person has to see to first, room on a disk, say: the item goes to the end
    of the queue, and when nothing else is left to do the job pauses with the message as its reason.
    "stopped" and "cancelled" are for an item that broke off on the way (``parts``): it is begun
    again later, or never. ``report`` is kept with the item and is in the job's own report; what is
    in it must be masked.
    """

    state: ItemState
    message: str = ""
    change_id: int | None = None
    report: Mapping[str, Any] | None = None


RunItem = Callable[[Job, JobItem, Actor], ItemResult]


@dataclass(frozen=True, slots=True)
class Kind:
    """``role`` is the least that may ask for such a job; it is checked again before each item.

    ``run_item`` is called outside of any transaction, within the agent scope of the person, one
    item after the other in the order of their positions. It must be idempotent: with
    ``item.attempts > 1`` an earlier call may have done all of the work, some, or none, because its
    runner died before the result was kept. A :class:`ProblemError` that it raises is the
    item's failure, told to people as it stands. ``left_of_params`` takes the place of an item's
    parameters when the job ends before its turn, for a kind whose parameters are what somebody
    typed and must not stay; what has failed can then not be tried again. ``stops_within``: its
    items tell ``parts`` how far they are, and so can be paused and cancelled on the way.
    ``outcome`` says in a sentence what a job that is done came to, where counts do not say it;
    ``of_stores``: its items are stores, not sessions.
    """

    name: str
    role: Role
    run_item: RunItem
    title: str | Promise = ""
    most_retries: int = 5
    left_of_params: Mapping[str, Any] | None = None
    stops_within: bool = False
    outcome: Callable[[Job], str] | None = None
    of_stores: bool = False

    @property
    def word(self) -> str:
        """What people call it."""
        return str(self.title) or self.name

    @property
    def forgets(self) -> bool:
        """Whether a job that has ended does not know any more what it was to do."""
        return self.left_of_params is not None


KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Make a kind known; a second one of the same name is a mistake of ours."""
    if KINDS.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"there are two kinds of jobs called {kind.name!r}")
    return kind


def forgets(job: Job) -> bool:
    """Whether a job is of a kind that forgets what it was to do; one of no known kind is not."""
    kind = KINDS.get(job.kind)
    return kind is not None and kind.forgets


def stops_within(job: Job) -> bool:
    """Whether a job can break off in the middle of an item."""
    kind = KINDS.get(job.kind)
    return kind is not None and kind.stops_within


def load() -> None:
    """Import every module that registers a kind; called once, when the application is ready."""
    for name in MODULES:
        import_module(name)
