"""Jobs as pages and twins show them: finished values, every text masked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from dashboard.models import Job, JobStore
from dashboard.models.jobs import CANCELLED, DONE, FAILED, FINISHED, PAUSED, RUNNING, WAITING
from dashboard.services.tree import shown
from dashboard.templatetags.show import span

from .kinds import KINDS
from .part_rows import PartRow, parts_of
from .seeing import no_such_job, state_word, visible_jobs

_MOST_STORES = 5
_TONES = {
    WAITING: ("none", "unknown"),
    RUNNING: ("live", "live"),
    PAUSED: ("none", "pause"),
    DONE: ("ok", "ok"),
    FAILED: ("bad", "bad"),
    CANCELLED: ("none", "close"),
}


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job. ``tone`` colours its state and ``icon`` draws it.

    ``rate`` is items per second since its runner took it, ``left_s`` what that leaves; None where
    it is not running or has run too short a time to tell. ``silent_s`` is set when its runner has
    given no sign of life for longer than it may. ``part`` is how far the item at hand is, where it
    says so; ``stops_within`` that it need not be finished before a pause.
    ``of_stores``: items are stores.
    """

    id: int
    kind: str
    kind_word: str
    title: str
    state: str
    word: str
    tone: str
    icon: str
    wanted: str
    actor: str
    via: str
    reason: str
    stores: tuple[str, ...]
    more_stores: int
    created_at_ms: int
    starts_at_ms: int | None
    started_at_ms: int | None
    finished_at_ms: int | None
    total: int
    done: int
    failed: int
    skipped: int
    current: str
    outcome: str
    attempts: int
    rate: float | None
    left_s: float | None
    silent_s: int | None
    waits_for: tuple[int | None, str] | None
    part: PartRow | None = None
    stops_within: bool = False
    of_stores: bool = False

    @property
    def with_result(self) -> int:
        """How many items have a result."""
        return self.done + self.failed + self.skipped

    @property
    def seen(self) -> tuple[object, ...]:
        """What changes a page; the rate and the time left change all the time."""
        counted = (self.done, self.failed, self.skipped, self.current)
        part = (self.part.done, self.part.name) if self.part else None
        return (self.id, self.word, self.wanted, *counted, self.silent_s, self.waits_for, part)

    @property
    def percent(self) -> int:
        """How much of the job has a result; 100 only when all of it has."""
        return 100 * self.with_result // self.total if self.total else 0

    @property
    def not_run(self) -> int:
        """How many items of a finished job never had their turn."""
        return self.total - self.with_result if self.is_over else 0

    @property
    def rate_words(self) -> str:
        """The rate, said for a person; empty where there is none."""
        if self.rate is None:
            return ""
        if self.rate >= 1:
            return _("%.1f a second") % self.rate
        return _("%.1f a minute") % (60 * self.rate)

    @property
    def left_words(self) -> str:
        """The time left, said for a person; empty where it cannot be told."""
        return "" if self.left_s is None else _("about %s left") % span(max(1, self.left_s))

    @property
    def took_ms(self) -> int | None:
        """From its first start to its end."""
        if self.started_at_ms is None or self.finished_at_ms is None:
            return None
        return self.finished_at_ms - self.started_at_ms

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in FINISHED


def rows_of(jobs: QuerySet[Job]) -> list[JobRow]:
    """Finish jobs for showing, in their order, by the database's clock."""
    found = list(jobs.annotate(now=Now(), store_count=Count("stores")))
    names = _store_names([job.pk for job in found])
    blockers = _blockers([job.pk for job in found if job.state == WAITING])
    parts = parts_of(job.pk for job in found if job.state == RUNNING)
    return [
        _row(job, names.get(job.pk, []), blockers.get(job.pk), parts.get(job.pk)) for job in found
    ]


def row_of(job: Job) -> JobRow:
    """Finish one job that was found just now.

    Raises:
        ProblemError: it was removed in between.
    """
    rows = rows_of(visible_jobs().filter(pk=job.pk))
    if not rows:
        raise no_such_job()
    return rows[0]


def _row(
    job: Any,
    stores: list[str],
    waits_for: tuple[int | None, str] | None,
    part: PartRow | None,
) -> JobRow:
    tone, icon = _TONES.get(job.state, ("none", "unknown"))
    word = state_word(job.state)
    silent_s = _silent_s(job)
    if silent_s is not None:
        tone, icon, word = "watch", "watch", _("stalled")
    elif job.state == DONE and job.failed:
        tone, icon, word = "watch", "watch", _("done in part")
    rate, left_s = (None, None) if silent_s is not None else _speed(job)
    kind = KINDS.get(job.kind)
    return JobRow(
        id=job.pk,
        kind=shown(job.kind),
        kind_word=kind.word if kind else shown(job.kind),
        title=shown(job.title),
        state=job.state,
        word=word,
        tone=tone,
        icon=icon,
        wanted=job.wanted,
        actor=shown(job.actor),
        via=shown(job.via),
        reason=shown(job.reason),
        stores=tuple(map(shown, stores[:_MOST_STORES])),
        more_stores=max(0, job.store_count - _MOST_STORES),
        created_at_ms=_ms(job.created_at) or 0,
        starts_at_ms=_ms(job.not_before) if _is_put_off(job) else None,
        started_at_ms=_ms(job.started_at),
        finished_at_ms=_ms(job.finished_at),
        total=job.total,
        done=job.done,
        failed=job.failed,
        skipped=job.skipped,
        current=shown(job.current),
        outcome=shown(job.outcome),
        attempts=job.attempts,
        rate=rate,
        left_s=left_s,
        silent_s=silent_s,
        waits_for=waits_for,
        part=part,
        stops_within=kind.stops_within if kind else False,
        of_stores=kind.of_stores if kind else False,
    )


def _is_put_off(job: Any) -> bool:
    return bool(job.state == WAITING and job.not_before > job.now)


def _silent_s(job: Any) -> int | None:
    if job.state != RUNNING or job.lease_until is None or job.lease_until >= job.now:
        return None
    return int((job.now - (job.heartbeat_at or job.lease_until)).total_seconds())


def _speed(job: Any) -> tuple[float | None, float | None]:
    """Items per second and seconds left, once there is something to measure."""
    if job.state != RUNNING or job.claimed_at is None or job.heartbeat_at is None:
        return None, None
    finished = job.done + job.failed + job.skipped
    ran_s = (job.heartbeat_at - job.claimed_at).total_seconds()
    done_here = finished - job.claimed_with
    if done_here < 2 or ran_s < 1:
        return None, None
    rate = done_here / ran_s
    return rate, (job.total - finished) / rate


def _store_names(jobs: Iterable[int]) -> dict[int, list[str]]:
    names: dict[int, list[str]] = {}
    for job_id, name in JobStore.objects.filter(job__in=jobs).values_list("job_id", "name"):
        names.setdefault(job_id, []).append(name)
    return names


def _blockers(waiting: list[int]) -> dict[int, tuple[int | None, str]]:
    """What each waiting job waits for: the job at work on one of its stores, and that store.

    The job has no number where whoever asks may not see it.
    """
    if not waiting:
        return {}
    at_work = dict(JobStore.objects.filter(at_work=True).values_list("store_id", "job_id"))
    wanted = JobStore.objects.filter(job__in=waiting, store_id__in=at_work)
    seen = set(visible_jobs().filter(pk__in=at_work.values()).values_list("pk", flat=True))
    blockers: dict[int, tuple[int | None, str]] = {}
    for job_id, store_id, name in wanted.values_list("job_id", "store_id", "name"):
        other = at_work[store_id]
        blockers.setdefault(job_id, (other if other in seen else None, shown(name)))
    return blockers


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
