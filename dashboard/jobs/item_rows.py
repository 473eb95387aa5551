"""The items of a job as its page and its report show them: finished values, keys masked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.models import Job, JobItem, JobStore
from dashboard.models.jobs import CANCELLED, DONE, FAILED, RUNNING, SKIPPED, WAITING
from dashboard.services.fleet import fleet
from dashboard.services.problems import ProblemError
from dashboard.services.readers import Reader
from dashboard.services.rows import readable
from dashboard.services.tree import shown

from .kinds import KINDS
from .seeing import state_word

#: Results in the order in which a page offers them.
RESULTS = (DONE, FAILED, SKIPPED, CANCELLED, WAITING)
_TONES = {
    WAITING: ("none", "unknown"),
    DONE: ("ok", "ok"),
    FAILED: ("bad", "bad"),
    SKIPPED: ("watch", "watch"),
    CANCELLED: ("none", "close"),
}


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item. ``ref`` is empty where there is no store, or none any more, to look it up in.

    ``subtitle`` is the readable key, where it says more than the title.
    """

    number: int
    store_id: str
    store: str
    key: str
    title: str
    subtitle: str
    ref: str
    state: str
    word: str
    tone: str
    icon: str
    message: str
    attempts: int
    again: str
    change_id: int | None
    finished_at_ms: int | None
    report: dict[str, Any] | None = None
    is_store: bool = False


def item_rows(job: Job, items: Iterable[JobItem], *, linked: bool) -> Iterator[ItemRow]:
    """Finish items for showing; ``linked`` finds what addresses them, which asks the stores."""
    names = dict(JobStore.objects.filter(job=job).values_list("store_id", "name"))
    find_reader = lru_cache(maxsize=None)(_reader_of)
    kind = KINDS.get(job.kind)
    most = kind.most_retries if kind else 0
    of_stores = kind is not None and kind.of_stores
    for item in items:
        reader = find_reader(item.store_id) if linked and item.store_id else None
        word, (tone, icon) = item_word(item.state), _TONES.get(item.state, ("none", "unknown"))
        if item.in_flight and job.state == RUNNING:
            word, tone, icon = _("running"), "live", "live"
        key = shown(item.key)
        name, short = ("", key) if of_stores else (_name_of(reader, item.key), readable(key))
        yield ItemRow(
            number=item.position + 1,
            store_id=item.store_id,
            store=shown(names.get(item.store_id, "")),
            key=key,
            title=name or short,
            subtitle=short if name and name != short else "",
            ref=reader.refs.of(item.key) if reader is not None and not of_stores else "",
            state=item.state,
            word=word,
            tone=tone,
            icon=icon,
            message=shown(item.message),
            attempts=item.attempts,
            again=_again(item, most),
            change_id=item.change_id,
            finished_at_ms=None
            if item.finished_at is None
            else int(item.finished_at.timestamp() * 1000),
            report=item.report,
            is_store=of_stores and reader is not None,
        )


def _name_of(reader: Reader | None, key: str) -> str:
    """What the session is called by now, as far as the list knows it."""
    row = reader.row(key) if reader is not None else None
    return "" if row is None else shown(row.name)


def _reader_of(store_id: str) -> Reader | None:
    try:
        return fleet().reader(store_id)
    except ProblemError:  # the store is gone, and its sessions with it
        return None


def _again(item: JobItem, most: int) -> str:
    """When an item that could not be done will be tried again."""
    if item.state != WAITING or item.not_before is None:
        return ""
    left_s = round((item.not_before - timezone.now()).total_seconds())
    told = {"left": left_s, "retries": item.retries, "most": most}
    if left_s <= 0:
        return _("Tried again as soon as a runner is free (%(retries)d of %(most)d).") % told
    return _("Tried again in %(left)d s (%(retries)d of %(most)d).") % told


def item_word(state: str) -> str:
    """A result, said for a person."""
    return _("not run") if state == CANCELLED else state_word(state)


def result_counts(job: Job) -> dict[str, int]:
    """How many items have which result; results that no item has are left out."""
    counted = JobItem.objects.filter(job=job).values_list("state").annotate(count=Count("pk"))
    found = dict(counted.order_by())
    return {state: found[state] for state in RESULTS if found.get(state)}
